"""The pages and the configs that the project ships."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
WRITTEN = [page for page in (ROOT / "docs").glob("*.md") if page.stem not in ("index", "commands")]  # by hand
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(WRITTEN), *sorted((ROOT / "configs").rglob("*.md"))]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
