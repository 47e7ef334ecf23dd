"""The site of the documentation, built from the root of the repository.

    pip install -e ".[docs]"
    python -m sphinx -W --keep-going -c docs/site . build/site

The sources keep their places, so that links between them are right on any host of the repository.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import cutaway

project = "Cutaway"
copyright = "the developers of Cutaway, Apache-2.0"
release = version = cutaway.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "course_site"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/*.md",
    "cutaway/course/glossary.md",
    "cutaway/course/lessons/*.md",
    "docs/*.md",
    "docs/**/*.md",
]
exclude_patterns = [".venv", "build", "dist", "runs", "studio/node_modules", "**/.*"]

html_theme = "sphinx_book_theme"
html_title = "Cutaway"
html_static_path = ["static"]
html_css_files = ["course.css"]
html_js_files = ["exercise.js"]
html_theme_options = {"show_navbar_depth": 1, "home_page_in_toc": True}
html_copy_source = False

nb_execution_mode = "inline"  # so that numbers in the text come from cells
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_eval_name_regex = r".+"
nb_merge_streams = True
nb_execution_in_temp = True
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more
nitpicky = False
