"""Decides whether the end of a pass is to be believed.

The rule, in `believe_end`: an end is believed only if nothing that the API said contradicts it. Where nothing
contradicts it and nothing proves it either, the pass counts, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from invoices_assets.errors import IncompleteSweep
from invoices_assets.extract.pass_count import PassCount, RecordsMoved, nameless

UNPROVEN = "nothing proves that these are all"


@dataclass(frozen=True)
class End:
    """Where a walk stopped.

    Parameters:
        why: what proves that nothing lies behind, or why nothing does, as the end of a sentence.
        proven: which of the two; None where the walk itself saw neither, and what the API said may still prove it.
        next_is_unread: whether the source file names no place for the next page, or one that the answers do not have.
    """

    why: str
    proven: bool | None = True
    next_is_unread: bool = False

    @property
    def sentence(self) -> str:
        """For people."""
        return self.why if self.proven else f"{UNPROVEN}: {self.why}"


def believe_end(count: PassCount, end: End, expected: int | None, *, is_one_page: bool = False) -> End:
    """THE rule: believes an end unless something that the API said contradicts it.

    Parameters:
        count: the pass.
        end: how its walk ended.
        expected: the API's total of records; None where it gives none.
        is_one_page: the source file says that there is one page only, so that another pass cannot help.

    Returns:
        the end with what proves it, or with why nothing does.

    Raises:
        IncompleteSweep: the API says that there is more.
        RecordsMoved: the records received contradict the total, or each other.
    """
    if expected is not None and count.names_pages:
        raise IncompleteSweep(
            f"`total_path` names a number of pages ({expected}), and {count.distinct} records came on {count.pages}: "
            "only `page_number` ends by it. Name the place of a total of records, or `total_path: null`"
        )
    more = _says_more(count, end)
    short = _falls_short(count, expected)
    if is_one_page and (more or short):
        raise IncompleteSweep(
            f"`single_page` reads one page only, and the API says that there is more: {more or short}, and "
            f"{count.distinct} records came{count.capped()}. Name the paginator that this API has."
            + ("" if more else f" {_UNLESS}")
        )
    if more:
        raise IncompleteSweep(f"Behind the last of {count.rows} records, the API says that there is more: {more}.")
    count.prove(expected)
    if count.pages_without_key and expected is None:
        raise nameless()
    if short:
        raise RecordsMoved(f"the API says {short}, and {count.distinct} distinct ones came{count.capped()}. {_UNLESS}")
    if end.proven is not None:
        return end
    proof = _proof(count, expected)
    return End(end.why + count.capped(), proven=False) if proof is None else End(proof)


def misfits_of(count: PassCount, end: End, *, is_one_page: bool) -> list[str]:
    """What of the paginator does not fit the answers of a pass whose end is proven all the same, in sentences.

    Parameters:
        end: how its walk ended.
    """
    if end.proven is not None or not end.next_is_unread:
        return []
    if is_one_page:
        claims = count.claims
        words = [f"`{word[0]}`" for word in (claims.total, claims.pages, claims.more) if word is not None]
        words += ["a total in a header"] if count.total is not None and not words else []
        unless = "name the paginator that this API has, or `total_path: null` in it if it has no pages"
        return [f"`single_page` reads one page only, and the answer has {words[0]}; {unless}"] if words else []
    is_short = count.asked is not None and count.rows < count.asked
    return [] if is_short else [f"{end.why}, so a second page would not be found by it"]


_UNLESS = "If that number counts something else, `total_path: null` in the paginator switches it off"


def _says_more(count: PassCount, end: End) -> str | None:
    """Where the last answer says that more records follow."""
    claims = count.claims
    if claims.more is not None and claims.more[1]:
        return f"`{claims.more[0]}` is true"
    if end.next_is_unread and claims.next is not None:
        return f"`{claims.next}` leads to a next page, and the source file does not name it"
    return None


def _falls_short(count: PassCount, expected: int | None) -> str | None:
    """What the API says of records or pages, where fewer came."""
    if expected is not None:
        return f"{expected} records" if expected > count.distinct and not count.is_total(expected) else None
    claimed = count.claimed_total
    if claimed is not None and claimed[1] > count.distinct and not count.is_total(claimed[1]):
        return f"{claimed[1]} records (`{claimed[0]}`)"
    pages = count.claims.pages
    if pages is not None and count.rows and (pages[1] - 1) * count.sizes[0] >= count.rows:
        return f"{pages[1]} pages (`{pages[0]}`)"
    return None


def _proof(count: PassCount, expected: int | None) -> str | None:
    """What of the API's own words proves that all came."""
    claims, claimed = count.claims, count.claimed_total
    if expected is not None:
        return f"the API's total of {expected} was reached"
    if not count.rows:
        return "the API shows no record"
    if claims.more is not None:
        return f"`{claims.more[0]}` says that there is no more"
    if claimed is not None and count.is_total(claimed[1]) and (count.pages > 1 or claimed[0].lower() != "count"):
        return f"the API's total of {claimed[1]} was reached (`{claimed[0]}`)"
    if claims.pages is not None and claims.pages[1] == count.pages:
        return f"it was the last of {count.pages} pages (`{claims.pages[0]}`)"
    if count.last_is_short:
        return f"the last page has {count.sizes[1]} records only"
    return None
