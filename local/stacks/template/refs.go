package template

import (
	"slices"
	"strings"
)

// walk visits an expression and all beneath it. Of a Fn::If it visits the branch that is
// taken, by what conditions hold; none when that is nil, as neither is sure then.
func walk(e expr, holds map[string]bool, visit func(expr)) {
	var beneath []expr
	switch e := e.(type) {
	case nil:
		return
	case list:
		beneath = e
	case *mapping:
		for _, key := range e.keys {
			beneath = append(beneath, e.of[key])
		}
	case sub:
		beneath = e
	case getAtt:
		beneath = []expr{e.attribute}
	case call:
		beneath = e.args
	case ifElse:
		if holds != nil {
			beneath = []expr{e.branch(holds)}
		}
	}
	visit(e)
	for _, e := range beneath {
		walk(e, holds, visit)
	}
}

func (e ifElse) branch(holds map[string]bool) expr {
	if holds[e.condition] {
		return e.then
	}
	return e.els
}

// referred returns the resources that an expression refers to.
func (t *Template) referred(e expr, holds map[string]bool) (ids []string) {
	walk(e, holds, func(e expr) {
		switch e := e.(type) {
		case ref:
			if t.byID[e.name] != nil {
				ids = append(ids, e.name)
			}
		case getAtt:
			ids = append(ids, e.resource)
		}
	})
	return ids
}

// allNeeds returns what a resource needs, sorted, each once.
func (r *Resource) allNeeds(t *Template, holds map[string]bool) []string {
	ids := slices.Concat(t.referred(r.properties, holds), r.DependsOn)
	slices.Sort(ids)
	return slices.Compact(ids)
}

func conditionsIn(e expr) (names []string) {
	walk(e, nil, func(e expr) {
		if e, ok := e.(named); ok {
			names = append(names, e.condition)
		}
	})
	return names
}

// order sorts resources behind those that they need.
func (t *Template) order(needs func(*Resource) []string) ([]*Resource, error) {
	var ids []string
	for _, r := range t.Resources {
		ids = append(ids, r.ID)
	}
	sorted, circle := sortByNeeds(ids, func(id string) []string { return needs(t.byID[id]) })
	if circle != nil {
		return nil, invalid("Circular dependency between resources: [%s]", strings.Join(circle, ", "))
	}
	var order []*Resource
	for _, id := range sorted {
		order = append(order, t.byID[id])
	}
	return order, nil
}

// sortByNeeds puts each name behind those that it needs, and otherwise keeps the order.
// Circle has names of which each needs the next, and the last the first.
func sortByNeeds(names []string, needs func(string) []string) (sorted, circle []string) {
	const done = -1
	place := map[string]int{} // 1 is the first of way
	var way []string          // from a name to what it needs, and so on
	var visit func(string) bool
	visit = func(name string) bool {
		if i := place[name]; i == done {
			return true
		} else if i > 0 {
			circle = slices.Clone(way[i-1:])
			return false
		}
		way = append(way, name)
		place[name] = len(way)
		for _, needed := range needs(name) {
			if !visit(needed) {
				return false
			}
		}
		way = way[:len(way)-1]
		place[name], sorted = done, append(sorted, name)
		return true
	}
	for _, name := range names {
		if !visit(name) {
			return nil, circle
		}
	}
	return sorted, nil
}

// names is a list of names, each once.
type names struct {
	names []string
	has   map[string]bool
}

func (n *names) add(name string) {
	if n.has[name] {
		return
	}
	if n.has == nil {
		n.has = map[string]bool{}
	}
	n.names, n.has[name] = append(n.names, name), true
}

func (n *names) text() string { return strings.Join(n.names, ", ") }
