package template

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
// modified in the order of After.Order, then what is removed in the order in which to do so.
// Lookup tells of the resources that there are now. A Ref or Fn::GetAtt of one that is added or
// replaced gives KnownAfterApply. Replaces (nil: never) is asked of each
// modification, whether the resource is made anew; Replaced is not set yet then. The error is a
// *Error: also when a resource would have another type, which can't be.
func Diff(before, after *Bound, lookup Lookup, replaces func(Change) bool) ([]Change, error) {
	return nil, invalid("not written yet")
}
