"""What the documents name exists, and what they show works."""

import ast
import re

import pytest
from conftest import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document):
    text = document.read_text()
    for path in re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:rs|py|md|yml|yaml|json))`", text):
        assert (ROOT / path).exists(), path
    for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", text):
        target = document.parent / link if link else document
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target.read_text()), f"{link}#{anchor}"


def _anchors(text):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_python_example_is_python(document):
    for example in re.findall(r"^```python\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL):
        ast.parse(example)


def test_the_readme_has_each_parameter_of_the_template(template):
    table = (ROOT / "README.md").read_text().split("| parameter | default | meaning |")[1].split("\n\n")[0]
    names = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(names) == sorted(template["Parameters"])


def test_the_readme_has_each_default_of_the_template(template):
    table = (ROOT / "README.md").read_text().split("| parameter | default | meaning |")[1].split("\n\n")[0]
    for line in table.splitlines()[2:]:
        _, names, defaults, _, _ = line.split("|")
        wanted = [str(template["Parameters"][name]["Default"]) for name in re.findall(r"`(\w+)`", names)]
        shown = re.findall(r"`([^`]+)`", defaults)
        assert [each for value in wanted if value for each in value.split(",")] == shown, names


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_parameter_that_is_set_in_a_document_is_the_templates(document, template):
    known = set(template["Parameters"])
    for given in re.findall(r"PARAMETERS='([^']*)'", document.read_text()):
        assert set(re.findall(r"(\w+)=", given)) <= known, given


def test_every_action_of_a_workflow_is_named_by_commit():
    for path in [*ROOT.glob(".github/workflows/*.yml"), ROOT / "docs/deploy.yml"]:
        uses = re.findall(r"uses: (\S+)", path.read_text())
        assert uses
        for action in uses:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert "permissions:\n  contents: read" in path.read_text()


def test_every_check_that_the_scanner_leaves_out_has_a_reason():
    for line in (ROOT / ".checkov.yaml").read_text().splitlines():
        if "CKV" in line:
            assert re.search(r"CKV_AWS_\d+ # \w+", line), line


@pytest.mark.parametrize("crate", ["connect-link", "callback-receiver", "token-exchanger", "token-keeper", "token-refresher", "notifier", "shared", "cli"])
def test_the_architecture_has_each_module_of_a_crate(crate):
    """Of `cli` the folders and files at the top, of the other crates every module."""
    folder = ROOT / crate if crate in ("shared", "cli") else ROOT / "functions" / crate
    section = re.split(rf"^### {folder.relative_to(ROOT)}$", (ROOT / "docs/ARCHITECTURE.md").read_text(), flags=re.MULTILINE)[1]
    rows = re.findall(r"^\| `.*", re.split(r"^##", section, flags=re.MULTILINE)[0], re.MULTILINE)
    listed = {name for row in rows for name in [row.split("`")[1], *re.findall(r"`(\w+(?:::\w+)+)`", row)]}
    files = (path.relative_to(folder / "src") for path in folder.glob("src/**/*.rs"))
    modules = {"::".join(path.with_suffix("").parts).removesuffix("::mod") for path in files}
    modules = {name for name in modules if not re.search(r"(^|_|::)(tests?|contract|main|lib)($|_)", name)}
    assert listed == ({name.split("::")[0] for name in modules} if crate == "cli" else modules)
