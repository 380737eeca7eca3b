package template

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
type Bound struct{}

// Bind joins the template with the parameters of a call. Previous has the parameters of
// the stack as it is (Bound.Values of then), nil when there is none. A parameter that
// is not given has its default, also when the stack has another value. The error is a
// *Error: parameters that are missing, not in the template, or against a constraint;
// references to a resource whose condition does not hold; resources that need each other.
func (t *Template) Bind(env Env, given map[string]Given, previous map[string]string) (*Bound, error) {
	return nil, invalid("not written yet")
}

// Template returns what was bound.
func (b *Bound) Template() *Template { return nil }

// Values returns the parameters' values by name, secrets too: what the next Bind wants
// as previous.
func (b *Bound) Values() map[string]string { return nil }

// A ParameterValue is a parameter as DescribeStacks shows it.
type ParameterValue struct{ Key, Value string }

// Parameters returns the parameters in the template's order; "****" for one with NoEcho.
func (b *Bound) Parameters() []ParameterValue { return nil }

// Order returns the resources whose condition holds, each behind all that it needs, and
// otherwise in the template's order. Backwards it is the order of deletion.
func (b *Bound) Order() []*Resource { return nil }

// Needs returns the logical IDs of the resources that id needs: by Ref, Fn::GetAtt,
// Fn::Sub or DependsOn, those only whose condition holds. Sorted, each once. Resources
// that don't need each other, also not through others, may be made at once.
func (b *Bound) Needs(id string) []string { return nil }
