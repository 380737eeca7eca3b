package spool

import "slices"

// Range is so many records in a row, by number.
type Range struct{ First, N uint64 }

// end is the number after the last.
func (r Range) end() uint64 { return r.First + r.N }

// ranges is a set of numbers: ascending, with gaps between them.
type ranges []Range

// add puts r into the set, and returns how many of it were new.
func (s *ranges) add(r Range) (added uint64) {
	if r.N == 0 {
		return 0
	}
	list := *s
	// list[i:j] touch r, and become one with it.
	i, _ := slices.BinarySearchFunc(list, r.First, func(o Range, first uint64) int {
		if o.end() < first {
			return -1
		}
		return 1
	})
	j, was := i, uint64(0)
	end := r.end()
	first := r.First
	for ; j < len(list) && list[j].First <= r.end(); j++ {
		was += list[j].N
		first = min(first, list[j].First)
		end = max(end, list[j].end())
	}
	*s = slices.Replace(list, i, j, Range{first, end - first})
	return end - first - was
}

// has tells whether n is in the set.
func (s ranges) has(n uint64) bool {
	i, found := slices.BinarySearchFunc(s, n, func(o Range, n uint64) int {
		switch {
		case o.end() <= n:
			return -1
		case o.First > n:
			return 1
		}
		return 0
	})
	return found && i < len(s)
}

// count is how many of the numbers from first up to end are in the set.
func (s ranges) count(first, end uint64) (n uint64) {
	for _, r := range s {
		if lo, hi := max(r.First, first), min(r.end(), end); lo < hi {
			n += hi - lo
		}
	}
	return n
}

// upTo is the first number from n on that is not in the set.
func (s ranges) upTo(n uint64) uint64 {
	for _, r := range s {
		if r.First <= n && n < r.end() {
			return r.end()
		}
	}
	return n
}
