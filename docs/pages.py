"""Hook of mkdocs: the README is the first page, and links to files outside of docs/ lead to the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {"index.md": "README.md", **{name: name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")}}
"""Pages of the site that lie beside docs/, by their name in it."""
PARTS = (".md", ".png", ".svg")
LINK = re.compile(r"(\]\()(?!\w+:|#|/)([^)\s]+)(\))")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside of docs/."""
    for name, source in PAGES.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Let links lead to the page of the site, or else to the file in the repository."""
    outside = page.file.src_uri in PAGES
    pages = {ROOT / source: name for name, source in PAGES.items()}
    docs = Path(config.docs_dir)

    def target(match: re.Match[str]) -> str:
        path, hash_, anchor = match[2].partition("#")
        found = ((ROOT if outside else docs) / path).resolve()
        if found in pages:
            path = pages[found]
        elif found.is_relative_to(docs) and found.suffix in PARTS and docs / "example" not in found.parents:
            path = found.relative_to(docs).as_posix()
        else:
            path = f"{config.repo_url}/blob/main/{found.relative_to(ROOT).as_posix()}"
        return f"{match[1]}{path}{hash_}{anchor}{match[3]}"

    return LINK.sub(target, markdown)
