"""Generated documents are current, and what they say of the package is so."""

from pathlib import Path

from aural_mcp import __version__
from aural_mcp.documents.render import DOCUMENTS, MARKED, skill_folder, stale

ROOT = Path(__file__).parent.parent.parent


def test_generated_documents_are_current():
    assert stale(ROOT, write=False) == [], "run: python -m aural_mcp.documents.render"


def test_every_generated_document_has_its_markers():
    assert all(MARKED.search((ROOT / name).read_text(encoding="utf-8")) for name in DOCUMENTS)


def test_the_skill_has_the_front_matter_that_hosts_need():
    text = (skill_folder() / "aural-hiring" / "SKILL.md").read_text(encoding="utf-8")
    front = text.split("---\n")[1]
    assert "name: aural-hiring\n" in front
    assert len(front.split("description: ")[1]) <= 1024


def test_the_changelog_opens_with_this_version():
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
