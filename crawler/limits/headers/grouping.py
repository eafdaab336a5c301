"""Group the limit fields of one response by policy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import attrs
from msgspec.structs import replace

from crawler.limits.headers.field_names import DEFAULT_POLICY, ROLES, WINDOWS, FieldName, parse_window
from crawler.limits.headers.structured_fields import Member, Policy, leading_number, parse_members, parse_policies

__all__ = ["FieldGroup", "FieldValue", "GroupedFields", "group_fields"]

GROUPED_ROLES: Final = {"limit", "remaining", "used", "reset", "window", "fill"}
"""Roles of fields that describe one policy."""
MAX_VALUE_LENGTH: Final = 8192
"""Characters; longer values are ignored."""
COSTS: Final = 4.0
"""Times as much as a field says to be used must be gone, before it is what this request has used alone."""
RATIO = re.compile(r"\s*(\d{1,15})\s*/\s*(\d{1,15})\s*", re.ASCII)
PER_WINDOW = re.compile(r"(\d{1,15})\s*(?:/|per)\s*(\w{1,20})", re.ASCII)
"""A limit and its window: ``150/15m``, ``100 per minute``."""
BY_WINDOW = re.compile(r"\d{1,15}:[1-9]\d{0,8}(?:\s*,\s*\d{1,15}:[1-9]\d{0,8})*", re.ASCII)
"""A number for each window, in seconds: ``20:1,100:120``."""

FieldValue = tuple[FieldName, str]
"""A parsed name and its value."""


@attrs.define
class FieldGroup:
    """The fields of one policy."""

    policy: str
    """Name of the policy."""
    family: str
    """The family as spelled in the names."""
    unit: str
    """The unit that is counted."""
    window: float | None
    """Length of the window in seconds, if the names state it."""
    fields: dict[str, list[FieldValue]] = attrs.field(factory=dict)
    """The fields by role."""
    policies: list[Policy] = attrs.field(factory=list)
    """The policies declared by values of this group."""

    def add(self, role: str, field: FieldName, value: str) -> None:
        """Add one value."""
        self.fields.setdefault(role, []).append((field, value))

    def numbers(self, role: str) -> list[float]:
        """Return the numeric values of a role.

        A value may be a list of numbers. Every member of a ``remaining`` list counts; of other lists only the first.
        """
        values = [value for _, value in self.fields.get(role, ())]
        if role == "remaining":
            values = [part for value in values for part in value.split(",")]
        return [x for value in values if (x := leading_number(value)) is not None]

    def limit_and_remaining(self) -> tuple[float | None, float | None]:
        """Return the limit and the remaining units. Of repeated fields the pair with the smallest remainder counts.

        A negative limit is unknown, and so is a negative remainder of it; any other negative remainder is 0. Where
        limit and remainder show that far more is used, what is said to be used is the cost of this request.
        """
        remaining = self.numbers("remaining")
        index = remaining.index(min(remaining)) if remaining else 0
        limit, left, used = (
            values[index] if index < len(values) else values[0] if values else None
            for values in (self.numbers("limit"), remaining, self.numbers("used"))
        )
        if limit is not None and limit < 0:
            limit, left = None, None if left is None or left < 0 else left
        left = None if left is None else max(0.0, left)
        if used is not None and used >= 0:
            if left is None and limit is not None:
                left = max(0.0, limit - used)
            elif limit is None and left is not None:
                limit = used + left
            elif limit is not None and left is not None and 1 < used <= (limit - left) / COSTS:
                return limit // used, left // used  # the units of this request: as many such requests are left
        return limit, left

    def agrees_with(self, other: FieldGroup) -> bool:
        """Return whether two families may describe the same policy: their limits do not contradict each other."""
        ours, theirs = self.numbers("limit"), other.numbers("limit")
        return not ours or not theirs or ours[0] == theirs[0]

    def completes(self, other: FieldGroup) -> bool:
        """Return whether this group states the reset or the window of another one that has a name.

        Its limit and remainder are those of the other one, as Kong's are, or it has neither.
        """
        if other is self or "reset" in other.fields:
            return False
        ours, theirs = self.limit_and_remaining(), other.limit_and_remaining()
        if None not in ours:
            return ours == theirs
        alone = not self.policies and set(self.fields) <= {"reset", "window"}
        return alone and other.window is None and theirs[1] is not None

    def absorb(self, other: FieldGroup) -> None:
        """Add every field of another group."""
        for role, fields in other.fields.items():
            self.fields.setdefault(role, []).extend(fields)
        self.policies += other.policies


@attrs.define
class GroupedFields:
    """The limit fields of one response, grouped but not yet interpreted."""

    groups: list[FieldGroup] = attrs.field(factory=list)
    """One group per policy."""
    _by_name: dict[tuple[str, str], FieldGroup] = attrs.field(factory=dict, init=False)
    """The groups by policy and family."""
    items: list[tuple[FieldName, Member]] = attrs.field(factory=list)
    """Named items of draft version 08 and later: ``"burst";r=5;t=1``."""
    ungrouped: dict[str, list[FieldValue]] = attrs.field(factory=dict)
    """Fields that belong to no group, by role: ``retry``, ``name``, ``scope``, ``reason``, ``concurrency``,
    ``vendor``."""

    def add(self, field: FieldName, value: str) -> None:
        """Add one field to its group."""
        if len(value) > MAX_VALUE_LENGTH:
            return
        if field.role in {"bare", "used"} and BY_WINDOW.fullmatch(value):
            self._add_by_window(field, value)
        elif field.role == "bare":
            self._add_bare(field, value)
        elif field.role == "remaining" and "=" in value and leading_number(value) is None:
            self._add_by_word(value, field)
        elif field.role in GROUPED_ROLES:
            self._add_to_group(field.role, field, value)
        elif field.role == "policy":
            self._group(field).policies += parse_policies(value)
        else:
            self.ungrouped.setdefault(field.role, []).append((field, value))

    def merge_families(self) -> None:
        """Merge groups of several families that describe one policy (``RateLimit-*`` and ``X-RateLimit-*``).

        Groups that contradict each other stay separate, and the later one is renamed after its family.
        """
        kept: dict[str, FieldGroup] = {}
        for group in self.groups:
            if len(group.fields) == 1 and "limit" in group.fields and self._is_no_rate(group):
                continue  # many fields that have nothing to do with rates are called a limit
            first = kept.setdefault(group.policy, group)
            if first is group:
                continue
            if first.agrees_with(group):
                first.absorb(group)
            else:
                group.policy = f"{group.family}-{group.policy}"
                kept.setdefault(group.policy, group)
        self._merge_limits(kept)
        unnamed = kept.get(DEFAULT_POLICY)
        named = [group for group in kept.values() if unnamed is not None and unnamed.completes(group)]
        if named:
            min(named, key=lambda group: group.limit_and_remaining()[1] or 0.0).absorb(kept.pop(DEFAULT_POLICY))
        self.groups = list(kept.values())

    def _merge_limits(self, kept: dict[str, FieldGroup]) -> None:
        """Merge a limit into a policy that states none, if a word for its window is all that its name has beside it."""
        for name, group in list(kept.items()):
            if len(group.fields) == 1 and "limit" in group.fields:
                rest = "-".join(word for word in name.split("-") if word not in WINDOWS) or DEFAULT_POLICY
                other = kept.get(rest, group)
                if other is not group and "limit" not in other.fields:
                    other.absorb(kept.pop(name))
                    other.window = other.window or group.window

    def _is_no_rate(self, group: FieldGroup) -> bool:
        """Return whether a limit has neither a family nor a policy, and no other field has its name."""
        named = (other.policy for other in self.groups if other is not group)
        return not group.family and not group.policies and group.policy not in named

    def _group(self, field: FieldName) -> FieldGroup:
        name = field.policy, field.family
        group = self._by_name.get(name)
        if group is None:
            group = self._by_name[name] = FieldGroup(field.policy, field.family, field.unit, field.window)
            self.groups.append(group)
        return group

    def _add_to_group(self, role: str, field: FieldName, value: str) -> None:
        match = PER_WINDOW.fullmatch(value) if role == "limit" and not value.isdigit() else None
        if match is not None and (window := parse_window(match[2])[1]) is not None:
            field, value = replace(field, window=window), match[1]
        group = self._group(field)
        group.window = group.window or field.window
        group.add(role, field, value)
        if role == "limit" and ";" in value:
            group.policies += parse_policies(value)

    def _add_by_window(self, field: FieldName, value: str) -> None:
        """Add a list of limits, or of what is used of them, as one policy for each window."""
        for pair in value.split(","):
            number, _, seconds = pair.strip().partition(":")
            policy = f"{field.policy}-{seconds}s"
            role = "limit" if field.role == "bare" else field.role
            self._add_to_group(role, replace(field, policy=policy, window=float(seconds)), number)

    def _add_by_word(self, value: str, field: FieldName) -> None:
        """Add what is left of several windows, each after a word for its length: ``group=any; min=1800; sec=29``."""
        for member in parse_members(value):
            for word, left in {member.key: member.value, **member.params}.items():
                is_window, seconds = parse_window(f"1{word}")
                if is_window:
                    policy = f"{member.value}-{word}" if word != member.key else word
                    self._add_to_group("remaining", replace(field, policy=policy, window=seconds), left)

    def _add_bare(self, field: FieldName, value: str) -> None:
        """Add a field whose name has no role: a number, a ratio, a dictionary of roles or a list of named items."""
        if leading_number(value) is not None:
            if field.number_is_limit:
                self._add_to_group("limit", field, value)
            return
        if ratio := RATIO.fullmatch(value):
            self._add_to_group("used", field, ratio[1])
            self._add_to_group("limit", field, ratio[2])
            return
        for member in parse_members(value):
            if member.key:
                for key, part in ((member.key, member.value), *member.params.items()):
                    if (role := ROLES.get(key, "")) in GROUPED_ROLES:
                        self._group(field).add(role, field, part)
            elif member.value and "r" in member.params:
                self.items.append((field, member))


def group_fields(fields: Iterable[FieldValue]) -> GroupedFields:
    """Group the limit fields of one response by policy."""
    grouped = GroupedFields()
    for field, value in fields:
        grouped.add(field, value)
    grouped.merge_families()
    return grouped
