"""Write the studio's colors, studio/src/styles/tokens.css and studio/src/tokens.ts.

They come from cutaway/story/design.py, and a test compares them:

    python scripts/studio_tokens.py && cd studio && npm run build
"""

from pathlib import Path

from cutaway.story.design import studio_css, studio_ts

SOURCES = Path(__file__).parent.parent / "studio/src"


def main() -> None:
    (SOURCES / "styles/tokens.css").write_text(studio_css())
    (SOURCES / "tokens.ts").write_text(studio_ts())


if __name__ == "__main__":
    main()
