"""What axe-core and a thumb find wrong with a page: the judges are not ours.

axe-core runs inside the page with the rules of WCAG 2.1, levels A and AA, and none left out; it looks into
open shadow roots by itself. What it cannot decide (text on a moving picture) it does not count.
"""

from __future__ import annotations

import functools

from tests.support.browser import ROOT, Page

__all__ = ["judge"]

_SCRIPT = ROOT / "web/node_modules/axe-core/axe.min.js"
_LOOKS = ((1280, 720, "light"), (390, 844, "dark"))
"""Width, height, theme: both sizes and both palettes in two looks."""


async def judge(page: Page, what: str) -> list[str]:
    """What shuts somebody out of this page, wide and light, narrow and dark; and what no thumb can hit."""
    found = []
    for width, height, theme in _LOOKS:
        await page.resize(width, height)
        await page.prefer(theme)
        await page.run(_axe())
        found += [f"{what}, {width} px, {theme}: {each}" for each in await page.run(_JUDGE)]
    found += [f"{what}: smaller than a thumb: {each}" for each in await page.run(_SMALL)]
    await page.resize(*_LOOKS[0][:2])
    return found


@functools.cache
def _axe() -> str:
    # As the text of a function: the pages' content security policy takes no script from elsewhere.
    return f"() => {{ if (!globalThis.axe) {{ {_SCRIPT.read_text()} }} }}"


_JUDGE = """async () => {
    const passing = document.getAnimations().filter((each) => each.effect.getComputedTiming().endTime < 5000);
    await Promise.allSettled(passing.map((each) => each.finished));
    const { violations, passes } = await axe.run(document, {
        runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] },
        resultTypes: ["violations"],
    });
    if (passes.length < 3) throw new Error("axe looked at next to nothing");
    return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id} ${target.flat(3).join(" ")}: ${failureSummary}`));
}"""

_SMALL = """() => {
    const all = (root) => [...root.querySelectorAll("*")]
        .flatMap((each) => (each.shadowRoot ? [each, ...all(each.shadowRoot)] : [each]));
    const sized = (each) => each.matches("input") && each.labels?.length ? each.labels[0] : each;
    return all(document)
        .filter((each) => each.matches("button, input, select, summary, a[href]"))
        .filter((each) => each.checkVisibility() && getComputedStyle(each).display !== "inline")
        .map((each) => [each, sized(each).getBoundingClientRect()])
        .filter(([, box]) => box.width > 0 && (box.width < 43.5 || box.height < 43.5))
        .map(([each, { width, height }]) =>
            `${each.dataset.testid ?? each.outerHTML.slice(0, 80)}, ${width | 0} by ${height | 0}`);
}"""
