// Package template reads CloudFormation templates and evaluates them, as far as
// `hydrant local` has CloudFormation. It does no I/O, and what it was given it never
// changes: a Template and a Bound may be used by many goroutines at once.
//
// A template goes one way: [Parse] reads and checks it, [Template.Bind] joins it with
// parameters and decides conditions, and [Bound.Properties] evaluates one resource
// with what is known of those made before.
//
// What is not supported is refused by name, never passed over. Texts of errors are
// CloudFormation's where they are known: from answers that others have recorded
// (LocalStack's validated snapshots of 2024 and 2025, posts and issues that quote them),
// some from Eucalyptus, which copied them by experiment. Those of "The local Firehose" and
// with a remedy are ours.
package template

import (
	"fmt"
	"slices"
	"strings"
)

// MaxBody is the largest template that Parse reads, in bytes: CloudFormation's limit
// for one in S3. That of a TemplateBody, 51,200 bytes, is the API's matter.
const MaxBody = 1_000_000

// CloudFormation's limits (user guide, quotas).
const (
	maxResources = 500
	maxOthers    = 200 // parameters, mappings and outputs, of each
)

// maxMessage is the length of an error in bytes, as names that it tells may be very long.
const maxMessage = 4096

// Error says what is wrong with a template, or with the parameters that it was given:
// the API's ValidationError. Every error of this package is one.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func invalid(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + " …"
	}
	return &Error{message}
}

func unsupported(at *path, what string) error {
	return invalid("The local Firehose does not support %s at %s.", what, at)
}

// A Template was parsed and checked. Lists are in the template's order. Everything in it
// is for reading only.
type Template struct {
	Body        string // as it was given
	Version     string // AWSTemplateFormatVersion; "": not said
	Description string
	Metadata    any // plain, see Bound.Properties; nil: none
	Parameters  []Parameter
	Resources   []*Resource
	Outputs     []Output

	mappings   map[string]map[string]map[string]any
	conditions []condition // each behind those that it names
	byID       map[string]*Resource
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

	properties expr
}

// An Output is what a template says of one, but for its value and export name, which
// Bound.Outputs evaluates.
type Output struct {
	Key, Description string
	Condition        string // "": always

	value, export expr // export: nil for none
}

type condition struct {
	name string
	is   expr
}

// Parse reads a template in JSON (when it begins with a brace) or YAML. The error is a
// *Error.
func Parse(body []byte) (*Template, error) {
	root, err := read(body)
	if err != nil {
		return nil, err
	}
	p := &parser{t: &Template{Body: string(body), byID: map[string]*Resource{}}, parameters: map[string]bool{}, conditions: map[string]bool{}}
	for _, part := range []func(*object) error{
		p.sections, p.header, p.readParameters, p.readMappings, p.resourceNames, p.readConditions, p.readResources, p.readOutputs,
	} {
		if err := part(root); err != nil {
			return nil, err
		}
	}
	return p.t, nil
}

// Resource returns the resource of a logical ID, or nil.
func (t *Template) Resource(id string) *Resource { return t.byID[id] }

// namedIAM are the types of resources that need CAPABILITY_IAM, with the property that
// is a name of their own and makes it CAPABILITY_NAMED_IAM; "": none does (user guide,
// CloudFormation and IAM). A policy's name is no such name.
var namedIAM = map[string]string{
	"AWS::IAM::AccessKey": "", "AWS::IAM::Policy": "", "AWS::IAM::UserToGroupAddition": "",
	"AWS::IAM::Group": "GroupName", "AWS::IAM::InstanceProfile": "InstanceProfileName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
	"AWS::IAM::Role": "RoleName", "AWS::IAM::User": "UserName",
}

// Capabilities returns what CreateStack has to be told for this template, and why, as
// ValidateTemplate gives them: CAPABILITY_NAMED_IAM when an IAM resource has a name of
// its own, else CAPABILITY_IAM when there is one; otherwise nil and "".
func (t *Template) Capabilities() (names []string, reason string) {
	var types []string
	named := false
	for _, r := range t.Resources {
		property, ok := namedIAM[r.Type]
		if !ok {
			continue
		}
		if !slices.Contains(types, r.Type) {
			types = append(types, r.Type)
		}
		if properties, ok := r.properties.(*mapping); ok && property != "" {
			named = named || properties.of[property] != nil
		}
	}
	if types == nil {
		return nil, ""
	}
	names = []string{"CAPABILITY_IAM"}
	if named {
		names = []string{"CAPABILITY_NAMED_IAM"}
	}
	return names, fmt.Sprintf("The following resource(s) require capabilities: [%s]", strings.Join(types, ", "))
}
