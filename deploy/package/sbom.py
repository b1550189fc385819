#!/usr/bin/env python3
"""usage: sbom.py PACKAGE.deb   prints the software bill of materials of a package, SPDX 2.3 as JSON.

It says what the program in the package really loads on this machine: the libraries that the dynamic linker
finds, each with the Debian package and version that brought it, and who needs whom. Every time and name in it follows from the
package and SOURCE_DATE_EPOCH, so the same build gives the same bytes.
"""
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ, LC_ALL="C")).stdout


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def created():
    seconds = int(os.environ["SOURCE_DATE_EPOCH"])
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fields(deb):
    """The control fields of the package."""
    lines = output("dpkg-deb", "--field", deb, "Package", "Version", "Architecture", "Maintainer").splitlines()
    return dict(line.split(": ", 1) for line in lines)


def needed(path):
    """The names of the libraries that a file asks for itself."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", path))


def libraries(program):
    """Name → path of everything that the dynamic linker loads for the program."""
    found = dict(re.findall(r"^\s*(\S+) => (/\S+)", output("ldd", program), re.MULTILINE))
    return {name: os.path.realpath(path) for name, path in found.items()}


def owner(path):
    """The Debian package of a file, as fields. Merged /usr: dpkg may know it by the path without /usr."""
    for candidate in (path, path.removeprefix("/usr")):
        found = subprocess.run(["dpkg-query", "-S", candidate], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            name = found.stdout.split(": ")[0].split(",")[0]
            form = "${binary:Package}\n${source:Package}\n${Version}\n${Architecture}\n${Homepage}\n"
            keys = ("name", "source", "version", "architecture", "homepage")
            package = dict(zip(keys, output("dpkg-query", "-W", "-f", form, name).splitlines()))
            package["name"] = package["name"].split(":")[0]
            return package
    sys.exit(f"sbom.py: no Debian package owns {path}, which the program loads")


def release():
    with open("/etc/os-release", encoding="utf-8") as file:
        return dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', file.read(), re.MULTILINE))


def identifier(*words):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", "-".join(words))


def purl(name, version, architecture, system):
    quoted = version.replace(":", "%3A").replace("+", "%2B")
    return f"pkg:deb/debian/{name}@{quoted}?arch={architecture}&distro={system['ID']}-{system['VERSION_ID']}"


def described(name, version, architecture, system, **more):
    return {
        "SPDXID": identifier("Package", name),
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": purl(name, version, architecture, system)}],
        **more,
    }


def debian(package, system):
    more = {"sourceInfo": f"built from the Debian source package {package['source']}", "supplier": "Organization: Debian"}
    if package["homepage"]:
        more["homepage"] = package["homepage"]
    return described(package["name"], package["version"], package["architecture"], system, **more)


def relation(one, kind, other):
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def links(program, paths, owners, ours):
    """Who needs whom, package by package."""
    edges = {(ours, "DYNAMIC_LINK", identifier("Package", owners[name]["name"])) for name in needed(program) if name in owners}
    for name, path in paths.items():
        one = identifier("Package", owners[name]["name"])
        others = {identifier("Package", owners[other]["name"]) for other in needed(path) if other in owners}
        edges |= {(one, "DEPENDS_ON", other) for other in others if other != one}
    return [relation(*edge) for edge in sorted(edges)]


def main(deb):
    about, system = fields(deb), release()
    with tempfile.TemporaryDirectory() as directory:
        output("dpkg-deb", "--extract", deb, directory)
        program = os.path.join(directory, "usr/bin/gracecube")
        paths = libraries(program)
        owners = {name: owner(path) for name, path in paths.items()}
        ours = identifier("Package", about["Package"])
        packages = [described(about["Package"], about["Version"], about["Architecture"], system,
                              checksums=[{"algorithm": "SHA256", "checksumValue": digest(deb)}],
                              packageFileName=os.path.basename(deb), licenseConcluded="Apache-2.0", licenseDeclared="Apache-2.0",
                              primaryPackagePurpose="APPLICATION")]
        by_name = {package["name"]: package for package in owners.values()}
        packages += [debian(by_name[name], system) for name in sorted(by_name)]
        relations = [relation("SPDXRef-DOCUMENT", "DESCRIBES", ours)]
        relations += links(program, paths, owners, ours)
        name = os.path.basename(deb).removesuffix(".deb")
        json.dump({
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": name,
            "documentNamespace": f"https://spdx.org/spdxdocs/{name}-{digest(deb)}",
            "creationInfo": {"created": created(), "creators": ["Tool: gracecube-sbom"]},
            "packages": packages,
            "relationships": relations,
        }, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].endswith(".deb"):
        sys.exit(__doc__)
    main(sys.argv[1])
