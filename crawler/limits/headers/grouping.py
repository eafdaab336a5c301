"""`gather`: the header fields of one answer that speak of limits, put together policy by policy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import attrs

from crawler.limits.headers.field_names import ROLES, Field
from crawler.limits.headers.structured_fields import Member, Policy, members, number, policies

__all__ = ["Gathered", "Group", "gather"]

COUNTED: Final = {"limit", "remaining", "used", "reset", "window", "fill"}
LENGTH: Final = 8192
"""Characters: a longer value is ignored."""
RATIO = re.compile(r"\s*(\d{1,15})\s*/\s*(\d{1,15})\s*", re.ASCII)

Said = tuple[Field, str]
"""A field and its value."""


@attrs.define
class Group:
    """The fields of one policy."""

    policy: str
    """Names it."""
    family: str
    """How its family is spelt."""
    unit: str
    """What is counted."""
    window: float | None
    """Seconds of the window that the names tell."""
    said: dict[str, list[Said]] = attrs.field(factory=dict)
    """By role: every field with its value."""
    policies: list[Policy] = attrs.field(factory=list)
    """What the server says of windows."""

    def add(self, role: str, field: Field, value: str) -> None:
        """Takes one value."""
        self.said.setdefault(role, []).append((field, value))

    def numbers(self, role: str) -> list[float]:
        """The values of a role that are numbers; of a list the first, but for what is left: there every one counts."""
        values = [value for _, value in self.said.get(role, ())]
        if role == "remaining":
            values = [part for value in values for part in value.split(",")]
        return [x for value in values if (x := number(value)) is not None]

    def amounts(self) -> tuple[float | None, float | None]:
        """Limit and what is left. Of fields that came twice the pair with least left counts.

        A negative limit is unknown, and so is a negative rest of it; otherwise nothing is left.
        """
        rest = self.numbers("remaining")
        index = rest.index(min(rest)) if rest else 0
        limit, left, used = (
            values[index] if index < len(values) else values[0] if values else None
            for values in (self.numbers("limit"), rest, self.numbers("used"))
        )
        if limit is not None and limit < 0:
            limit, left = None, None if left is None or left < 0 else left
        left = None if left is None else max(0.0, left)
        if used is not None and used >= 0:
            if left is None and limit is not None:
                left = max(0.0, limit - used)
            elif limit is None and left is not None:
                limit = used + left
        return limit, left

    def agrees(self, other: Group) -> bool:
        """Whether two families tell of the same policy: neither contradicts the other's limit."""
        mine, user_frames = self.numbers("limit"), other.numbers("limit")
        return not mine or not user_frames or mine[0] == user_frames[0]

    def absorb(self, other: Group) -> None:
        """Takes all of another group."""
        for role, said in other.said.items():
            self.said.setdefault(role, []).extend(said)
        self.policies += other.policies


@attrs.define
class Gathered:
    """What one answer says, before it is understood."""

    groups: list[Group] = attrs.field(factory=list)
    """By policy."""
    items: list[tuple[Field, Member]] = attrs.field(factory=list)
    """Named items of the draft's last shape: ``"burst";r=5;t=1``."""
    words: dict[str, list[Said]] = attrs.field(factory=dict)
    """By role, what belongs to no group: ``retry``, ``name``, ``scope``, ``reason``, ``concurrency``, ``vendor``."""

    def _group(self, field: Field) -> Group:
        for group in self.groups:
            if group.policy == field.policy and group.family == field.family:
                return group
        group = Group(field.policy, field.family, field.unit, field.window)
        self.groups.append(group)
        return group

    def take(self, field: Field, value: str) -> None:
        """Puts one field where it belongs."""
        if len(value) > LENGTH:
            return
        if field.role == "bare":
            self._bare(field, value)
        elif field.role in COUNTED:
            self._counted(field.role, field, value)
        elif field.role == "policy":
            self._group(field).policies += policies(value)
        else:
            self.words.setdefault(field.role, []).append((field, value))

    def _counted(self, role: str, field: Field, value: str) -> None:
        group = self._group(field)
        group.add(role, field, value)
        if role == "limit" and ";" in value:
            group.policies += policies(value)

    def _bare(self, field: Field, value: str) -> None:
        """The name tells no role: it is a number, a ratio, a dictionary of roles, or a list of named items."""
        if number(value) is not None:
            if field.plain:
                self._counted("limit", field, value)
            return
        if ratio := RATIO.fullmatch(value):
            self._counted("used", field, ratio[1])
            self._counted("limit", field, ratio[2])
            return
        for member in members(value):
            if member.key:
                for key, part in ((member.key, member.value), *member.params.items()):
                    if (role := ROLES.get(key, "")) in COUNTED:
                        self._group(field).add(role, field, part)
            elif member.value and "r" in member.params:
                self.items.append((field, member))

    def merge(self) -> None:
        """Makes one policy of what several families say of the same one (``RateLimit-*`` beside ``X-RateLimit-*``).

        Where they contradict each other they are two, and the later is named by its family.
        """
        kept: dict[str, Group] = {}
        for group in self.groups:
            if set(group.said) <= {"limit"} and not group.family and not group.policies:
                continue  # any field may be called a limit of something
            first = kept.setdefault(group.policy, group)
            if first is group:
                continue
            if first.agrees(group):
                first.absorb(group)
            else:
                group.policy = f"{group.family}-{group.policy}"
                kept.setdefault(group.policy, group)
        self.groups = list(kept.values())


def gather(said: Iterable[Said]) -> Gathered:
    """What the fields of one answer say, policy by policy."""
    gathered = Gathered()
    for field, value in said:
        gathered.take(field, value)
    gathered.merge()
    return gathered
