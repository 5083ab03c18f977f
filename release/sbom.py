"""The bill of materials of a release, as CycloneDX: each program, and the crates that are linked into it.

Cargo says what is compiled for the released targets. Crates that only run while something is compiled (procedural macros, build
scripts, tests) are in no program, and not listed.
"""

import datetime
import json
import subprocess
import uuid

import tomllib
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL


def of(root, name, version, programs, targets, time):
    """The document, of crates for these targets; `time`: the commit's, in seconds since 1970. The same commit has the same one."""
    metadata = json.loads(_cargo(root, "metadata", "--format-version", "1"))
    packages = {(each["name"], each["version"]): each for each in metadata["packages"]}
    checksums = {(each["name"], each["version"]): each.get("checksum") for each in tomllib.loads((root / "Cargo.lock").read_text())["package"]}
    release = Component(name=name, version=version, type=ComponentType.APPLICATION, bom_ref=name)
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{name}@{version}"))
    bom.metadata.component = release
    bom.metadata.timestamp = datetime.datetime.fromtimestamp(time, datetime.timezone.utc)
    components, used = {}, {}
    for program in programs:
        for crate, needed in _linked(root, program, targets).items():
            if crate not in components:
                is_program = crate[0] in programs
                components[crate] = _component(packages[crate], checksums.get(crate), is_program)
                bom.components.add(components[crate])
            used.setdefault(crate, set()).update(needed)
    bom.register_dependency(release, [each for crate, each in components.items() if crate[0] in programs])
    for crate, needed in used.items():
        bom.register_dependency(components[crate], [components[each] for each in sorted(needed)])
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _linked(root, program, targets):
    """The crates of a program, with those that each uses itself, by name and version."""
    of_targets = [argument for target in targets for argument in ("--target", target)]
    shown = ["--edges", "normal,no-proc-macro", "--prefix", "depth", "--format", "|{p}"]
    linked, above = {}, []
    for line in filter(None, _cargo(root, "tree", "--package", program, *of_targets, *shown).splitlines()):
        depth, found = line.split("|")
        name, version = found.split()[:2]
        crate = (name, version.removeprefix("v"))
        linked.setdefault(crate, set())
        above[int(depth) :] = [crate]
        if len(above) > 1:
            linked[above[-2]].add(crate)
    return linked


def _component(package, checksum, is_program):
    component = Component(
        name=package["name"],
        version=package["version"],
        type=ComponentType.APPLICATION if is_program else ComponentType.LIBRARY,
        description=package["description"],
        bom_ref=f"{package['name']}@{package['version']}",
    )
    if package["license"]:
        # Before SPDX's expressions, crates wrote "A/B" for "A OR B".
        component.licenses.add(LicenseFactory().make_from_string(package["license"].replace("/", " OR ")))
    if package["source"]:
        component.purl = PackageURL("cargo", None, package["name"], package["version"])
        component.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=checksum))
    if package["repository"]:
        component.external_references.add(ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(package["repository"])))
    return component


def _cargo(root, command, *arguments):
    found = subprocess.run(["cargo", command, "--locked", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return found.stdout
