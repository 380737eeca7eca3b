package stacks

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/stacks/template"
	"github.com/hydrant-go/hydrant/wire"
)

// types is every type of resources that there is; templates with another are refused.
// What those that are only recorded would do is done by nobody: there are no roles,
// alarms are not raised, and functions don't run.
var types = map[string]*kind{
	"AWS::S3::Bucket":                      bucketKind,
	"Custom::EmptyBucket":                  emptyBucketKind,
	"AWS::Logs::LogGroup":                  logGroupKind,
	"AWS::Logs::LogStream":                 logStreamKind,
	"AWS::KinesisFirehose::DeliveryStream": streamKind,

	"AWS::S3::BucketPolicy":      bucketPolicyKind,
	"AWS::IAM::Role":             roleKind,
	"AWS::IAM::Policy":           policyKind,
	"AWS::IAM::ManagedPolicy":    managedPolicyKind,
	"AWS::CloudWatch::Alarm":     alarmKind,
	"AWS::CloudWatch::Dashboard": dashboardKind,
	"AWS::KMS::Key":              keyKind,
	"AWS::Lambda::Function":      functionKind,
	"AWS::CDK::Metadata":         metadataKind,
}

// kind is what a type of resources is like. Functions that are nil do nothing.
type kind struct {
	// properties are those that AWS's schema of the type has at the top, and required
	// those of them that must be there. Without properties any may be. A change of those in
	// createOnly makes another resource.
	properties, required, createOnly []string
	// named is the property with the resource's name. Without it, or when there is no such
	// property, names are generated, of at most so many bytes.
	named   string
	longest int
	lower   bool // names are in lower case
	// recorded: nothing is made but a record.
	recorded bool
	// tagged: the stack's tags are the resource's, too.
	tagged bool
	// physical makes the physical id, where it is not the name.
	physical func(t *kind, q *request) string
	// attributes are what Fn::GetAtt gives.
	attributes map[string]func(q *request) string

	isThere func(context.Context, *Store, *request) (bool, error)
	// make makes the resource; after an error there must be nothing.
	make func(context.Context, *Store, *request) error
	// stabilise waits until the resource is what make or change made it.
	stabilise func(context.Context, *Store, *request) error
	change    func(context.Context, *Store, *request) error
	// unmake removes the resource, and waits until it is gone. It is no error when there
	// is none.
	unmake func(context.Context, *Store, *request) error
}

// request is what a kind's function is about.
type request struct {
	awsapi.Caller
	stack string
	r     *resource
	was   []version // what an update may find: one, if all before went well
}

// text is a property that is a string, "" if there is none.
func (q *request) text(property string) string {
	text, _ := template.Text(q.r.properties()[property])
	return text
}

func (t *kind) exists(ctx context.Context, s *Store, q *request) (bool, error) {
	if t.isThere == nil {
		return false, nil
	}
	return t.isThere(ctx, s, q)
}

func (t *kind) create(ctx context.Context, s *Store, q *request) error { return run(ctx, t.make, s, q) }

func (t *kind) settle(ctx context.Context, s *Store, q *request) error {
	return run(ctx, t.stabilise, s, q)
}

func (t *kind) update(ctx context.Context, s *Store, q *request) error {
	return run(ctx, t.change, s, q)
}

func (t *kind) remove(ctx context.Context, s *Store, q *request) error {
	return run(ctx, t.unmake, s, q)
}

func run(ctx context.Context, f func(context.Context, *Store, *request) error, s *Store, q *request) error {
	if f == nil {
		return nil
	}
	return f(ctx, s, q)
}

// reason is an error in the words that the resource's events have.
type reason string

func (r reason) Error() string { return string(r) }

// refused is an API's error as CloudFormation tells it.
func refused(service string, err error) error {
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		return err
	}
	return reason(fmt.Sprintf("%s (Service: %s; Status Code: %d; Error Code: %s)", e.Message, service, e.Status, e.Code))
}

// isCode tells whether an API has answered with an error of that code.
func isCode(err error, code string) bool {
	e, ok := errors.AsType[*wire.Error](err)
	return ok && e.Code == code
}

// message is an error as people read it.
func message(err error) string {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// check tells what is wrong with a resource's properties at the top, in the words of
// AWS's registry of types.
func (t *kind) check(id string, properties map[string]any) error {
	for _, name := range t.required {
		if properties[name] == nil {
			return reason(fmt.Sprintf("Properties validation failed for resource %s with message: [#: required key [%s] not found]", id, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if t.properties != nil && !slices.Contains(t.properties, name) {
			return reason(fmt.Sprintf("Properties validation failed for resource %s with message: [#: extraneous key [%s] is not permitted]", id, name))
		}
	}
	return nil
}

// newID decides what the physical id of a resource will be.
func (t *kind) newID(q *request) string {
	if t.physical != nil {
		return t.physical(t, q)
	}
	return t.name(q)
}

// name is the resource's name: its own, or one that is made of those of the stack and
// of the resource, as AWS does it.
func (t *kind) name(q *request) string {
	if t.named != "" {
		if name := q.text(t.named); name != "" {
			return name
		}
	}
	suffix := rand.Text()[:12]
	prefix := q.stack + "-" + q.r.ID
	if room := t.longest - len(suffix) - 1; len(prefix) > room {
		// Both are cut, the longer one more.
		half := (room - 1) / 2
		stack, id := q.stack, q.r.ID
		stack = stack[:min(len(stack), max(half, room-1-len(id)))]
		prefix = stack + "-" + id[:room-1-len(stack)]
	}
	name := prefix + "-" + suffix
	if t.lower {
		name = strings.ToLower(name)
	}
	return name
}

// replaces tells whether the change to next makes another resource.
func (t *kind) replaces(before, next *resource) bool {
	a, b := before.properties(), next.properties()
	return slices.ContainsFunc(t.createOnly, func(name string) bool { return !template.Equal(a[name], b[name]) })
}

// attribute is what Ref ("") or Fn::GetAtt gives of a resource.
func attribute(q *request, name string) (any, bool) {
	if name == "" {
		return q.r.Physical, true
	}
	f := types[q.r.Type].attributes[name]
	if f == nil {
		return nil, false
	}
	return f(q), true
}

// lookup tells of the stack's resources as they are.
func (s *Store) lookup(st *stack) template.Lookup {
	return func(id, name string) (any, bool) {
		s.mu.Lock()
		r := st.Resources[id]
		s.mu.Unlock()
		if r == nil {
			return nil, false
		}
		return attribute(&request{Caller: st.Caller, stack: st.Name, r: r}, name)
	}
}

// hashed is a made-up id of a resource, always the same for it: a prefix and capital
// letters and digits, as IAM has them.
func hashed(prefix string, q *request) string {
	sum := sha256.Sum256([]byte(q.Account + q.Region + q.r.Physical))
	return prefix + strings.ToUpper(hex.EncodeToString(sum[:]))[:17]
}

// maxProperties is the longest that a resource's properties may be, in JSON: what they
// are evaluated to may be many times the template.
const maxProperties = 1 << 20

// evaluate makes the version of a resource that the template says. It returns one in any
// case, also with an error.
func evaluate(b *template.Bound, r *template.Resource, lookup template.Lookup, tags []tag) (*resource, error) {
	next := &resource{
		ID: r.ID, Type: r.Type, version: version{Properties: json.RawMessage("{}")}, Metadata: r.Metadata, Needs: b.Needs(r.ID),
		DeletionPolicy: r.DeletionPolicy, UpdateReplacePolicy: r.UpdateReplacePolicy,
	}
	t := types[r.Type]
	if t.tagged {
		next.Tags = tags
	}
	properties, err := b.Properties(r.ID, lookup)
	if err != nil {
		return next, err
	}
	text, err := json.Marshal(properties)
	switch {
	case err != nil:
		return next, err
	case len(text) > maxProperties:
		return next, reason(fmt.Sprintf("The properties of %s take %d bytes, the local CloudFormation takes %d.", r.ID, len(text), maxProperties))
	}
	next.Properties = text
	return next, t.check(r.ID, properties)
}
