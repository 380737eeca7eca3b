package template

// A Lookup returns what Ref (attribute "") or Fn::GetAtt of a resource gives: a string, or
// any other plain value. False: there is no such attribute, which is an error of
// the evaluation. It is called only for resources in Bound.Needs of what is evaluated, or,
// by Bound.Outputs, for those in Bound.Order.
type Lookup func(id, attribute string) (any, bool)

// Properties evaluates a resource's properties: never nil, and without the members whose
// value is AWS::NoValue. All values are plain: map[string]any, []any, string, bool or
// json.Number, so they compare with Equal and encode as JSON. Numbers and booleans are as the
// template has them, but a Ref of a parameter is always text ("5"), as with CloudFormation,
// where the resource's schema decides: take either for either. See Text.
func (b *Bound) Properties(id string, lookup Lookup) (map[string]any, error) {
	return nil, invalid("not written yet")
}

// An OutputValue is an output of a stack.
type OutputValue struct {
	Key, Value, Description string
	Export                  string // "": not exported
}

// Outputs evaluates the outputs whose condition holds, in the template's order.
func (b *Bound) Outputs(lookup Lookup) ([]OutputValue, error) { return nil, invalid("not written yet") }

// Text returns a string, number or boolean as CloudFormation joins it into a string: true is
// "true", a number is as it was written. False: v is a list or a map.
func Text(v any) (string, bool) { return "", false }

// Equal tells whether two plain values are the same to CloudFormation, which takes 5 for
// "5" and true for "true".
func Equal(a, b any) bool { return false }
