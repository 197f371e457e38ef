"""Runs as text, tables, JSON, Markdown, HTML and JUnit."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.render import assets as assets
    from gitrun.render import axes as axes
    from gitrun.render import batch_charts as batch_charts
    from gitrun.render import diff_json as diff_json
    from gitrun.render import event_file as event_file
    from gitrun.render import feed as feed
    from gitrun.render import feed_pages as feed_pages
    from gitrun.render import guide as guide
    from gitrun.render import html as html
    from gitrun.render import junit as junit
    from gitrun.render import man_page as man_page
    from gitrun.render import markdown as markdown
    from gitrun.render import palette as palette
    from gitrun.render import plot_json as plot_json
    from gitrun.render import plot_svg as plot_svg
    from gitrun.render import plot_text as plot_text
    from gitrun.render import report_json as report_json
    from gitrun.render import report_table as report_table
    from gitrun.render import report_text as report_text
    from gitrun.render import run_list as run_list
    from gitrun.render import run_page as run_page
    from gitrun.render import site as site
    from gitrun.render import site_answers as site_answers
    from gitrun.render import text as text
    from gitrun.render import tokens as tokens
    from gitrun.render import watch_text as watch_text
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
