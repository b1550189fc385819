# Completion of gracecube in bash. The program itself says what may follow: see `gracecube help --complete`.
# shellcheck shell=bash
_gracecube() {
	local line=${COMP_LINE:0:COMP_POINT} word found
	local -a words
	read -ra words <<<"$line"
	[[ $line != *[[:blank:]] ]] || words+=('')
	COMPREPLY=()
	word=${words[-1]}
	# readline takes "=" and ":" for the end of a word, and wants back what stands behind
	word=${word%"${word##*[=:]}"}
	while IFS=$'\t' read -r found _; do
		case $found in
		:files) compopt -o default ;;
		*=) compopt -o nospace && COMPREPLY+=("${found#"$word"}") ;;
		*) COMPREPLY+=("${found#"$word"}") ;;
		esac
	done < <("$1" help --complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _gracecube gracecube
