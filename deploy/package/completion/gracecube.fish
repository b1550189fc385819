# Completion of gracecube in fish. The program itself says what may follow: see `gracecube help --complete`.
function __gracecube_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    for line in ($words[1] help --complete -- $words[2..-1] "$typed" 2>/dev/null)
        if test "$line" = :files
            set -l kept (string match -r '^--[^=]*=' -- "$typed")
            string replace -r -- '^' "$kept" (__fish_complete_path (string replace -- "$kept" '' "$typed"))
        else
            echo $line
        end
    end
end
complete -c gracecube -f -a '(__gracecube_complete)'
