package template

import (
	"maps"
	"slices"
	"strings"
)

// KnownAfterApply stands in a change set for what is not known before a resource is made.
const KnownAfterApply = "{{changeSet:KNOWN_AFTER_APPLY}}"

// A Change is what an update does to a resource.
type Change struct {
	Action   string    // "Add", "Modify" or "Remove"
	Resource *Resource // of the new template; of the old one for "Remove"
	// Scope is what is modified: "Properties", "Metadata", "DeletionPolicy",
	// "UpdateReplacePolicy", in this order.
	Scope []string
	// Properties are the top-level properties that differ, sorted.
	Properties []string
	Replaced   bool // what replaces said
}

// Diff returns what it takes to come from before (nil: no stack) to after: what is added and
// modified in the order of after.Order, then what is removed in the order in which to do so.
// Lookup tells of the resources that there are now. A Ref or Fn::GetAtt of one that is added or
// replaced gives KnownAfterApply. Replaces (nil: never) is asked of each
// modification, whether the resource is made anew; Replaced is not set yet then. The error is a
// *Error: also when a resource would have another type, which can't be.
//
// An attribute that a modification changes in place is taken for what it is now: CloudFormation
// was seen to miss such a change too.
func Diff(before, after *Bound, lookup Lookup, replaces func(Change) bool) ([]Change, error) {
	d := differ{before: map[string]*Resource{}, old: before, lookup: lookup, replaces: replaces, anew: map[string]bool{}}
	if before != nil {
		for _, r := range before.order {
			d.before[r.ID] = r
		}
	}
	if err := d.types(after); err != nil {
		return nil, err
	}
	var changes []Change
	for _, r := range after.order {
		change, err := d.change(after, r)
		if err != nil {
			return nil, err
		}
		if change.Action != "" {
			changes = append(changes, change)
		}
		delete(d.before, r.ID)
	}
	if before != nil {
		for _, r := range slices.Backward(before.order) {
			if d.before[r.ID] != nil {
				changes = append(changes, Change{Action: "Remove", Resource: r})
			}
		}
	}
	return changes, nil
}

type differ struct {
	old      *Bound
	before   map[string]*Resource // without those that were compared
	lookup   Lookup
	replaces func(Change) bool
	anew     map[string]bool // what is added or replaced
}

func (d *differ) types(after *Bound) error {
	var others []string
	for _, r := range after.order {
		if old := d.before[r.ID]; old != nil && old.Type != r.Type {
			others = append(others, r.ID)
		}
	}
	if others == nil {
		return nil
	}
	return invalid("Update of resource type is not permitted. The new template modifies resource type of the following resources: [%s]", strings.Join(others, ", "))
}

// change compares one resource; its Action is "" when nothing is different.
func (d *differ) change(after *Bound, r *Resource) (Change, error) {
	properties, err := after.Properties(r.ID, d.later)
	if err != nil {
		return Change{}, err
	}
	old := d.before[r.ID]
	if old == nil {
		d.anew[r.ID] = true
		return Change{Action: "Add", Resource: r}, nil
	}
	were, err := d.old.Properties(r.ID, d.lookup)
	if err != nil {
		return Change{}, err
	}
	c := Change{Resource: r, Properties: differing(were, properties)}
	for _, part := range []struct {
		name string
		same bool
	}{
		{"Properties", c.Properties == nil},
		{"Metadata", Equal(old.Metadata, r.Metadata)},
		{"DeletionPolicy", old.DeletionPolicy == r.DeletionPolicy},
		{"UpdateReplacePolicy", old.UpdateReplacePolicy == r.UpdateReplacePolicy},
	} {
		if !part.same {
			c.Scope = append(c.Scope, part.name)
		}
	}
	if c.Scope == nil {
		return Change{}, nil
	}
	c.Action = "Modify"
	c.Replaced = d.replaces != nil && d.replaces(c)
	d.anew[r.ID] = c.Replaced
	return c, nil
}

// later is what a resource gives when its turn has come.
func (d *differ) later(id, attribute string) (any, bool) {
	if d.anew[id] {
		return KnownAfterApply, true
	}
	return d.lookup(id, attribute)
}

// differing returns the keys whose values are not the same, sorted.
func differing(a, b map[string]any) (keys []string) {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for key := range all {
		va, inA := a[key]
		vb, inB := b[key]
		if inA != inB || !Equal(va, vb) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
