package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// input reads the body of a control call. Faults are gathered by kind, and err
// tells the first kind that there is.
type input struct {
	// suffix ends the names of destinations, and those in them: Configuration,
	// whose required members must be there, or Update.
	suffix    string
	allowHTTP bool // of the endpoints' URLs

	shape       error           // the body is not what it ought to be; the first such fault
	violations  wire.Violations // broken constraints, all in one message
	argument    error           // settings that do not go together; the first such fault
	unsupported []string        // settings that are not supported, all in one message
}

const (
	configuration = "Configuration"
	update        = "Update"
)

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

// newInput takes a body in; faults come out of err. suffix is empty where there
// are no destinations.
func (s *server) newInput(body []byte, suffix string) (*input, *object) {
	in := &input{suffix: suffix, allowHTTP: s.allowHTTP}
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
		return invalid("The local Firehose does not support %s.", strings.Join(in.unsupported, ", "))
	}
	return nil
}

func (in *input) decode(path string, text []byte, v any) {
	if err := awsapi.DecodeJSON(text, v); err != nil && in.shape == nil {
		in.shape = wire.Errorf(wire.CodeSerialization, "%s is not valid JSON for this operation: %v", path, err)
	}
}

// refuse notes a setting that the local Firehose cannot honour.
func (in *input) refuse(what string) {
	if len(in.unsupported) < maxUnsupported {
		in.unsupported = append(in.unsupported, what)
	}
}

// maxUnsupported is how many settings a message names, as a body may hold any number.
const maxUnsupported = 100

// fault notes settings that do not go together.
func (in *input) fault(format string, args ...any) { in.note(invalid(format, args...)) }

// note is fault for an error that may be nil.
func (in *input) note(err error) {
	if in.argument == nil {
		in.argument = err
	}
}

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

// flag is a member of true or false.
func (o *object) flag(member string) *bool { return takeAs[bool](o, member) }

// within calls f with a member that is an object itself, if it is there, and
// refuses what f leaves of it.
func (o *object) within(member string, f func(*object)) {
	members := takeAs[map[string]json.RawMessage](o, member)
	if members == nil {
		return
	}
	inner := &object{o.in, o.name(member), o.where(member), *members}
	f(inner)
	inner.refuseRest()
}

// each is within for every object of a list, whose length it checks.
func (o *object) each(member string, least, most int, f func(*object)) {
	list := takeAs[[]map[string]json.RawMessage](o, member)
	if list == nil {
		return
	}
	// AWS prints the list's Java form here, which no source shows in full.
	value := fmt.Sprintf("'[%d members]'", len(*list))
	if len(*list) == 0 {
		value = "'[]'"
	}
	o.length(value, member, len(*list), least, most)
	for i, members := range *list {
		inner := &object{o.in, fmt.Sprintf("%s.%d", o.name(member), i+1), fmt.Sprintf("%s.%d.member", o.where(member), i+1), members}
		f(inner)
		inner.refuseRest()
	}
}

// refuseRest refuses every member that was not taken.
func (o *object) refuseRest() {
	for _, member := range slices.Sorted(maps.Keys(o.members)) {
		if o.has(member) {
			o.in.refuse(o.name(member))
		}
	}
}

// need notes the members that must be there and are not.
func (o *object) need(members ...string) {
	for _, member := range members {
		if !o.has(member) {
			o.in.violations.Required(o.where(member))
		}
	}
}

// owe is need for what an update may leave out.
func (o *object) owe(members ...string) {
	if o.in.suffix == configuration {
		o.need(members...)
	}
}

// limited takes a string and checks it.
func (o *object) limited(member string, l limits) *string {
	s := takeAs[string](o, member)
	if s == nil {
		return nil
	}
	value := "'" + *s + "'"
	if l.secret {
		value = ""
	}
	o.length(value, member, utf8.RuneCountInString(*s), l.min, l.max)
	if !l.pattern.match(*s) {
		o.in.violations.Add(value, o.where(member), "satisfy regular expression pattern: "+l.pattern.text)
	}
	return s
}

// required is limited for a member that must be there; "" where it is not.
func (o *object) required(member string, l limits) string {
	o.need(member)
	return deref(o.limited(member, l), "")
}

// length checks a length; most is 0 where there is no limit.
func (o *object) length(value, member string, n, least, most int) {
	if most > 0 && n > most {
		o.in.violations.Add(value, o.where(member), fmt.Sprintf("have length less than or equal to %d", most))
	}
	if n < least {
		o.in.violations.Add(value, o.where(member), fmt.Sprintf("have length greater than or equal to %d", least))
	}
}

// list takes a list of strings and checks it, and each string. AWS names all
// constraints of the strings at once, whichever is broken.
func (o *object) list(member string, least, most int, l limits) []string {
	given := takeAs[[]string](o, member)
	if given == nil {
		return nil
	}
	list := *given
	value := "'[" + strings.Join(list, ", ") + "]'"
	o.length(value, member, len(list), least, most)
	if !l.allOf(slices.Values(list)) {
		o.in.violations.Add(value, o.where(member), "satisfy constraint: "+l.String())
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

// texts takes a map of strings and checks it, as list does.
func (o *object) texts(member string, keys, values limits) map[string]string {
	m := deref(takeAs[map[string]string](o, member), nil)
	if len(m) == 0 {
		return nil
	}
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, key+"="+m[key])
	}
	value := "'{" + strings.Join(pairs, ", ") + "}'"
	if !keys.allOf(maps.Keys(m)) {
		o.in.violations.AddMap(value, o.where(member), "keys", "satisfy constraint: "+keys.String())
	}
	if !values.allOf(maps.Values(m)) {
		o.in.violations.AddMap(value, o.where(member), "value", "satisfy constraint: "+values.String())
	}
	return m
}

// between takes a whole number and checks it.
func (o *object) between(member string, least, most int) *int {
	return bounded(o, member, takeAs[int](o, member), least, most)
}

// proportion takes a number from 0 to 1.
func (o *object) proportion(member string) *float64 {
	return bounded(o, member, takeAs[float64](o, member), 0, 1)
}

func bounded[T int | float64](o *object, member string, n *T, least, most T) *T {
	switch {
	case n == nil:
	case *n < least:
		o.in.violations.Add(fmt.Sprintf("'%v'", *n), o.where(member), fmt.Sprintf("have value greater than or equal to %v", least))
	case *n > most:
		o.in.violations.Add(fmt.Sprintf("'%v'", *n), o.where(member), fmt.Sprintf("have value less than or equal to %v", most))
	}
	return n
}

// oneOf takes a string of an enumeration, whose case matters. The order of the
// values is AWS's where it was seen, else the model's.
func (o *object) oneOf(member string, values ...string) *string {
	s := takeAs[string](o, member)
	if s != nil && !slices.Contains(values, *s) {
		o.in.violations.Add("'"+*s+"'", o.where(member), "satisfy enum value set: ["+strings.Join(values, ", ")+"]")
	}
	return s
}

// streamName takes DeliveryStreamName.
func (o *object) streamName() string {
	name := takeAs[string](o, "DeliveryStreamName")
	o.in.violations.Name(name)
	return deref(name, "")
}

// streamType takes DeliveryStreamType.
func (o *object) streamType() *string {
	return o.oneOf("DeliveryStreamType", "DirectPut", "KinesisStreamAsSource", "MSKAsSource", "DatabaseAsSource")
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// set gives to a value, if there is one.
func set[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}

// own returns a copy of what p points to, or of otherwise if that is nothing.
func own[T any](p *T, otherwise T) *T {
	v := deref(p, otherwise)
	return &v
}
