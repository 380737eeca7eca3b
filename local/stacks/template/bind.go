package template

import (
	"maps"
	"slices"
	"strings"
)

// Env is what pseudo parameters are made of. AWS::Partition and AWS::URLSuffix follow
// from the region.
type Env struct {
	Region, Account    string
	StackName, StackID string
	NotificationARNs   []string
}

// Given is a parameter of a call: a value, or that of the stack as it is.
type Given struct {
	Value       string
	UsePrevious bool
}

// A Bound is a template with its parameters and with its conditions decided.
type Bound struct {
	t      *Template
	values map[string]string   // parameters
	refs   map[string]any      // what Ref of a parameter or pseudo parameter gives
	holds  map[string]bool     // conditions
	order  []*Resource         // as Order returns it
	needs  map[string][]string // as Needs returns it; its keys are those of order
}

// Bind joins the template with the parameters of a call. Previous has the parameters of
// the stack as it is (Bound.Values of then), nil when there is none. A parameter that
// is not given has its default, also when the stack has another value. The error is a
// *Error: parameters that are missing, not in the template, or against a constraint;
// references to a resource whose condition does not hold; resources that need each other.
func (t *Template) Bind(env Env, given map[string]Given, previous map[string]string) (*Bound, error) {
	values, err := t.values(given, previous)
	if err != nil {
		return nil, err
	}
	b := &Bound{t: t, values: values, refs: env.refs(), holds: map[string]bool{}, needs: map[string][]string{}}
	for _, p := range t.Parameters {
		b.refs[p.Name] = values[p.Name]
		if p.isList() {
			b.refs[p.Name] = anyList(splitList(values[p.Name]))
		}
	}
	for _, c := range t.conditions {
		v, err := (&scope{b: b}).eval(c.is)
		if err != nil {
			return nil, err
		}
		b.holds[c.name] = v.(bool)
	}
	if err := b.references(); err != nil {
		return nil, err
	}
	b.order, err = t.order(func(r *Resource) []string { return b.needs[r.ID] })
	b.order = slices.DeleteFunc(b.order, func(r *Resource) bool { return !b.has(r.Condition) })
	return b, err
}

func (t *Template) values(given map[string]Given, previous map[string]string) (map[string]string, error) {
	values, known := map[string]string{}, map[string]bool{}
	var missing []string
	for _, p := range t.Parameters {
		known[p.Name] = true
		g, ok := given[p.Name]
		was, had := previous[p.Name]
		switch {
		case ok && g.UsePrevious && !had:
			return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", p.Name)
		case ok && g.UsePrevious:
			values[p.Name] = was
		case ok:
			values[p.Name] = g.Value
		case p.Default != nil:
			values[p.Name] = *p.Default
		default:
			missing = append(missing, p.Name)
		}
	}
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	if unknown != nil {
		return nil, invalid("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	}
	if missing != nil {
		return nil, invalid("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	for _, p := range t.Parameters {
		if err := p.check(values[p.Name]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// refs are the pseudo parameters. Partitions and suffixes are those of the regions' names
// (user guide, pseudo parameters).
func (e Env) refs() map[string]any {
	partition, suffix := "aws", "amazonaws.com"
	switch {
	case strings.HasPrefix(e.Region, "cn-"):
		partition, suffix = "aws-cn", "amazonaws.com.cn"
	case strings.HasPrefix(e.Region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return map[string]any{
		"AWS::AccountId": e.Account, "AWS::NoValue": noValue{}, "AWS::NotificationARNs": anyList(e.NotificationARNs),
		"AWS::Partition": partition, "AWS::Region": e.Region, "AWS::StackId": e.StackID, "AWS::StackName": e.StackName, "AWS::URLSuffix": suffix,
	}
}

func anyList(items []string) []any {
	list := make([]any, len(items))
	for i, item := range items {
		list[i] = item
	}
	return list
}

// has tells whether something with this condition is there.
func (b *Bound) has(condition string) bool { return condition == "" || b.holds[condition] }

// references fills needs, and finds what refers to a resource that is not there: a
// DependsOn may.
func (b *Bound) references() error {
	absent := func(id string) bool { return !b.has(b.t.byID[id].Condition) }
	unresolved := func(among *names, e expr) {
		for _, id := range b.t.referred(e, b.holds) {
			if absent(id) {
				among.add(id)
			}
		}
	}
	var inResources, inOutputs names
	for _, r := range b.t.Resources {
		if b.has(r.Condition) {
			unresolved(&inResources, r.properties)
			b.needs[r.ID] = slices.DeleteFunc(r.allNeeds(b.t, b.holds), absent)
		}
	}
	for _, out := range b.t.Outputs {
		if b.has(out.Condition) {
			unresolved(&inOutputs, out.value)
			unresolved(&inOutputs, out.export)
		}
	}
	if inResources.names != nil {
		return invalid("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", inResources.text())
	}
	if inOutputs.names != nil {
		return invalid("Unresolved resource dependencies [%s] in the Outputs block of the template", inOutputs.text())
	}
	return nil
}

// Template returns what was bound.
func (b *Bound) Template() *Template { return b.t }

// Values returns the parameters' values by name, secrets too: what the next Bind wants
// as previous.
func (b *Bound) Values() map[string]string { return maps.Clone(b.values) }

// A ParameterValue is a parameter as DescribeStacks shows it.
type ParameterValue struct{ Key, Value string }

// Parameters returns the parameters in the template's order; "****" for one with NoEcho.
func (b *Bound) Parameters() []ParameterValue {
	var all []ParameterValue
	for _, p := range b.t.Parameters {
		v := ParameterValue{p.Name, b.values[p.Name]}
		if p.NoEcho {
			v.Value = "****"
		}
		all = append(all, v)
	}
	return all
}

// Order returns the resources whose condition holds, each behind all that it needs, and
// otherwise in the template's order. Backwards it is the order of deletion.
func (b *Bound) Order() []*Resource { return slices.Clone(b.order) }

// Needs returns the logical IDs of the resources that id needs: by Ref, Fn::GetAtt,
// Fn::Sub or DependsOn, those only whose condition holds. Sorted, each once. Resources
// that don't need each other, also not through others, may be made at once.
func (b *Bound) Needs(id string) []string { return slices.Clone(b.needs[id]) }
