// Package template reads CloudFormation templates and evaluates them, as far as
// `hydrant local` has CloudFormation. It does no I/O, and what it was given it never
// changes: a Template and a Bound may be used by many goroutines at once.
//
// A template goes one way: Parse reads and checks it, [Template.Bind] joins it with
// parameters and decides conditions, and [Bound.Properties] evaluates one resource
// with what is known of those made before.
//
// What is not supported is refused by name, never passed over.
package template

import "fmt"

// MaxBody is the largest template that Parse reads, in bytes: CloudFormation's limit
// for one in S3. That of a TemplateBody, 51,200 bytes, is the API's matter.
const MaxBody = 1_000_000

// Error says what is wrong with a template, or with the parameters that it was given:
// the API's ValidationError. Every error of this package is one.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func invalid(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// A Template was parsed and checked. Lists are in the template's order. Everything in it
// is for reading only.
type Template struct {
	Body        string // as it was given
	Description string
	Metadata    any // plain, see Bound.Properties; nil: none
	Parameters  []Parameter
	Resources   []*Resource
	Outputs     []Output
}

// A Parameter is what a template says of one. Nil and zero: not said.
type Parameter struct {
	Name, Type, Description string
	Default                 *string
	NoEcho                  bool
	AllowedValues           []string
	AllowedPattern          string
	ConstraintDescription   string
	MinLength, MaxLength    *int
	MinValue, MaxValue      *float64
}

// A Resource is what a template says of one, but for its properties, which
// Bound.Properties evaluates.
type Resource struct {
	ID        string // logical ID
	Type      string
	Condition string // "": always
	// DeletionPolicy and UpdateReplacePolicy: "", "Delete", "Retain", "Snapshot" or, the
	// first only, "RetainExceptOnCreate". "" is "Delete" for the types that we have.
	DeletionPolicy, UpdateReplacePolicy string
	DependsOn                           []string
	Metadata                            any // plain, functions as they stand; nil: none
}

// An Output is what a template says of one, but for its value and export name, which
// Bound.Outputs evaluates.
type Output struct {
	Key, Description string
	Condition        string // "": always
}

// Parse reads a template in JSON (when it begins with a brace) or YAML. The error is a
// *Error, with CloudFormation's own words where they are known.
func Parse(body []byte) (*Template, error) { return nil, invalid("not written yet") }

// Resource returns the resource of a logical ID, or nil.
func (t *Template) Resource(id string) *Resource { return nil }

// Capabilities returns what CreateStack has to be told for this template, and why, as
// ValidateTemplate gives them: CAPABILITY_NAMED_IAM when an IAM resource has a name of
// its own, else CAPABILITY_IAM when there is one; otherwise nil and "".
func (t *Template) Capabilities() (names []string, reason string) { return nil, "" }
