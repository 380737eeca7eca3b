package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hydrant-go/hydrant/wire"
)

// input reads the body of a control call. Faults are gathered by kind, and err
// tells the first kind that there is.
type input struct {
	shape       error           // the body is not what it ought to be; the first such fault
	violations  wire.Violations // broken constraints, all in one message
	argument    error           // settings that do not go together; the first such fault
	unsupported []string        // settings that are not supported, all in one message
}

// object is one JSON object of an input. Members are taken out one by one, so
// that what remains can be refused by name. Names are matched exactly; null is
// as good as absent, which is how every method returns nil.
type object struct {
	in *input
	// path is the object's name in messages: as people write it, and as AWS
	// writes it in violations. Both are empty at the top.
	path, violationPath string
	members             map[string]json.RawMessage
}

// newInput takes a body in; faults come out of err.
func newInput(body []byte) (*input, *object) {
	in := &input{}
	o := &object{in: in}
	in.decode("the body", body, &o.members)
	if o.members == nil && in.shape == nil {
		in.shape = wire.Errorf(wire.CodeSerialization, "the body must be a JSON object")
	}
	return in, o
}

func (in *input) err() error {
	if in.shape != nil {
		return in.shape
	}
	if err := in.violations.Err(); err != nil {
		return err
	}
	if in.argument != nil {
		return in.argument
	}
	if len(in.unsupported) > 0 {
		return wire.Errorf(wire.CodeInvalidArgument, "The local Firehose does not support %s yet.", strings.Join(in.unsupported, ", "))
	}
	return nil
}

func (in *input) decode(path string, text []byte, v any) {
	if err := json.Unmarshal(text, v); err != nil && in.shape == nil {
		in.shape = wire.Errorf(wire.CodeSerialization, "%s is not valid JSON for this operation: %v", path, err)
	}
}

// refuse notes a setting that the local Firehose cannot honour.
func (in *input) refuse(what string) { in.unsupported = append(in.unsupported, what) }

// name is a member's path for people: ExtendedS3DestinationConfiguration.Prefix.
func (o *object) name(member string) string { return joinPath(o.path, member) }

// where is a member's path in a violation: the same in lower camel case.
func (o *object) where(member string) string {
	return joinPath(o.violationPath, strings.ToLower(member[:1])+member[1:])
}

func joinPath(path, member string) string {
	if path == "" {
		return member
	}
	return path + "." + member
}

// take removes a member; ok is false where it is absent or null.
func (o *object) take(member string) (text json.RawMessage, ok bool) {
	text, ok = o.members[member]
	delete(o.members, member)
	return text, ok && string(text) != "null"
}

// has tells whether a member is there and leaves it there.
func (o *object) has(member string) bool {
	text, ok := o.members[member]
	return ok && string(text) != "null"
}

// takeAs takes a member of type T.
func takeAs[T any](o *object, member string) *T {
	text, ok := o.take(member)
	if !ok {
		return nil
	}
	v := new(T)
	o.in.decode(o.name(member), text, v)
	return v
}

func (o *object) text(member string) *string { return takeAs[string](o, member) }

// flag is a member of true or false.
func (o *object) flag(member string) *bool { return takeAs[bool](o, member) }

// object takes a member that is an object itself.
func (o *object) object(member string) *object {
	members := takeAs[map[string]json.RawMessage](o, member)
	if members == nil {
		return nil
	}
	return &object{o.in, o.name(member), o.where(member), *members}
}

// refuseRest refuses every member that was not taken.
func (o *object) refuseRest() {
	for _, member := range slices.Sorted(maps.Keys(o.members)) {
		if o.has(member) {
			o.in.refuse(o.name(member))
		}
	}
}

// limits is what the API's model says of a string: characters, and a pattern
// that the whole of it must satisfy, or "".
type limits struct {
	min, max int
	pattern  string
}

// limited takes a string and checks it.
func (o *object) limited(member string, l limits) *string {
	s := o.text(member)
	if s == nil {
		return nil
	}
	value, n := "'"+*s+"'", utf8.RuneCountInString(*s)
	add := func(constraint string) { o.in.violations.Add(value, o.where(member), constraint) }
	if n > l.max {
		add(fmt.Sprintf("have length less than or equal to %d", l.max))
	}
	if n < l.min {
		add(fmt.Sprintf("have length greater than or equal to %d", l.min))
	}
	if l.pattern != "" && !patterns[l.pattern].MatchString(*s) {
		add("satisfy regular expression pattern: " + l.pattern)
	}
	return s
}

// required is limited for a member that must be there; "" where it is not.
func (o *object) required(member string, l limits) string {
	if !o.has(member) {
		o.in.violations.Required(o.where(member))
	}
	return deref(o.limited(member, l), "")
}

// between takes a whole number and checks it.
func (o *object) between(member string, least, most int) *int {
	n := takeAs[int](o, member)
	switch {
	case n == nil:
	case *n < least:
		o.in.violations.Add(fmt.Sprintf("'%d'", *n), o.where(member), fmt.Sprintf("have value greater than or equal to %d", least))
	case *n > most:
		o.in.violations.Add(fmt.Sprintf("'%d'", *n), o.where(member), fmt.Sprintf("have value less than or equal to %d", most))
	}
	return n
}

// oneOf takes a string of an enumeration, whose case matters. The order of the
// values is AWS's where it was seen (CompressionFormat), else the model's.
func (o *object) oneOf(member string, values ...string) *string {
	s := o.text(member)
	if s != nil && !slices.Contains(values, *s) {
		o.in.violations.Add("'"+*s+"'", o.where(member), "satisfy enum value set: ["+strings.Join(values, ", ")+"]")
	}
	return s
}

// streamName takes DeliveryStreamName.
func (o *object) streamName() string {
	name := o.text("DeliveryStreamName")
	o.in.violations.Name(name)
	return deref(name, "")
}

// streamType takes DeliveryStreamType.
func (o *object) streamType() *string {
	return o.oneOf("DeliveryStreamType", "DirectPut", "KinesisStreamAsSource", "MSKAsSource", "DatabaseAsSource")
}

var streamNames = limits{1, wire.MaxNameBytes, wire.NamePattern}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// Patterns of the API's model, as messages show them.
const (
	rolePattern      = `arn:.*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+`
	bucketPattern    = `arn:.*:s3:::[\w\.\-]{1,255}`
	anyPattern       = `.*`
	extensionPattern = `^$|\.[0-9a-z!\-_.*'()]+`
	zonePattern      = `^$|[a-zA-Z/_]+`
	idPattern        = `[a-zA-Z0-9-]+`
)

// patterns are the same, anchored at both ends, which the model means.
var patterns = anchored(wire.NamePattern, rolePattern, bucketPattern, anyPattern, extensionPattern, zonePattern, idPattern)

func anchored(list ...string) map[string]*regexp.Regexp {
	m := map[string]*regexp.Regexp{}
	for _, p := range list {
		m[p] = regexp.MustCompile(`\A(?:` + p + `)\z`)
	}
	return m
}
