"""What the documents name is there."""

import re

import pytest
from conftest import ROOT

DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_is_there(document):
    text = document.read_text()
    for path in re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:rs|py|md|yml|yaml|json))`", text):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (document.parent / link).exists(), link


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
