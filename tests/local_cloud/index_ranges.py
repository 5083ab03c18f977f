"""Queries of an index read the rows that they ask for, and not their whole partition.

MiniStack sorts a partition and looks at each of its rows, for every query: of a table of a million rows a list would
measure MiniStack. This changes what a query costs and nothing of what it answers, so it is no fix (see `fixes`). It knows
the one form that `wasf` and the functions ask in, `hash = :a AND range BETWEEN :b AND :c`; others go as before.
"""

import bisect
import re
import threading

from ministack.services import dynamodb

_BETWEEN = re.compile(r"(\S+) = (:\w+) AND (\S+) BETWEEN (:\w+) AND (:\w+)")
_asked = threading.local()


def install():
    """Replaces MiniStack's private functions; called once, before it serves."""
    query, members, changed = dynamodb._query, dynamodb._index_members, dynamodb._index_item
    partitions = _Partitions()

    def query_range(data):
        _asked.query = data if _BETWEEN.fullmatch(data.get("KeyConditionExpression") or "") else None
        try:
            return query(data)
        finally:
            _asked.query = None

    def members_in_range(table):
        data = getattr(_asked, "query", None)
        if not data or data.get("IndexName") not in (found := members(table)):
            return members(table)
        return {data["IndexName"]: _InRange(partitions, table, data, found[data["IndexName"]])}

    def forget_and_change(table, base_pk, base_sk, item, add):
        partitions.forget(table, item)
        return changed(table, base_pk, base_sk, item, add)

    dynamodb._query, dynamodb._index_members = query_range, members_in_range
    dynamodb._index_item = forget_and_change


class _Partitions:
    """The rows of partitions that were asked for, each sorted once, until one of its rows changes."""

    def __init__(self):
        self._sorted = {}

    def rows(self, table, index, partition, members, keys):
        """`(order, key)` of each row: the latest last."""
        place = (id(table), index, partition)
        known, rows = self._sorted.get(place, (None, None))
        if known is not members:
            items = table["items"]
            rows = [(_order(items[pk][sk], keys), (pk, sk)) for pk, sk in members if sk in items.get(pk, ())]
            rows.sort(key=lambda row: row[0])
            self._sorted[place] = (members, rows)
        return rows

    def forget(self, table, item):
        for name, hashes, ranges in dynamodb._index_key_schemas(table):
            partition = dynamodb._index_partition(item, hashes, ranges)
            if partition is not None:
                self._sorted.pop((id(table), name, partition), None)


class _InRange:
    """An index's partitions, each as far as this query reads it."""

    def __init__(self, partitions, table, data, members):
        self._partitions, self._table, self._data, self._members = partitions, table, data, members

    def get(self, partition, default=()):
        members = self._members.get(partition)
        _, ranges = dynamodb._index_key_lists(dynamodb._index_def(self._table, self._data["IndexName"]))
        if not members or len(ranges) != 1:
            return default if members is None else members
        keys = dynamodb._index_order_keys(self._table, ranges)
        rows = self._partitions.rows(self._table, self._data["IndexName"], partition, members, keys)
        first, after = self._bounds(rows, keys)
        # The query has to find one more than it shows, to say that it goes on.
        most = int(self._data.get("Limit") or after - first) + 1
        if self._data.get("ScanIndexForward", True):
            after = min(after, first + most)
        else:
            first = max(first, after - most)
        return [key for _, key in rows[first:after]]

    def _bounds(self, rows, keys):
        values = self._data["ExpressionAttributeValues"]
        low, high = (values[name] for name in _BETWEEN.fullmatch(self._data["KeyConditionExpression"]).groups()[3:])
        (name, kind), *_ = keys
        low, high = (dynamodb._index_order_value({name: value}, name, kind) for value in (low, high))
        first = bisect.bisect_left(rows, low, key=lambda row: row[0][0])
        after = bisect.bisect_right(rows, high, key=lambda row: row[0][0])
        if start := self._data.get("ExclusiveStartKey"):
            if self._data.get("ScanIndexForward", True):
                first = max(first, bisect.bisect_right(rows, _order(start, keys), key=lambda row: row[0]))
            else:
                after = min(after, bisect.bisect_left(rows, _order(start, keys), key=lambda row: row[0]))
        return first, max(first, after)


def _order(item, keys):
    return tuple(dynamodb._index_order_value(item, name, kind) for name, kind in keys)
