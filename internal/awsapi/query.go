package awsapi

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/wire"
)

// The Query protocol (awsQuery): a call is a form, an answer is XML
//
// Kept: POST with a form body, Action and Version in it; nested structures
// (A.B), lists (A.member.1) and maps (A.entry.1.key, .value); the codes that the
// front end's errors have in this protocol.
// Left out: GET and parameters in the URL; flattened lists, which none of the
// services here has; locationName, for the same reason; the HTTP status 403 that AWS
// gives some of the front end's errors: it is 400, as in the other protocols.

// action finds the service and the operation of a Query call. Version stands for
// the service, which AWS tells by the host's name.
func (f *front) action(c *Call) error {
	form, err := parseForm(c.Body)
	if err != nil {
		return wire.Errorf(wire.CodeSerialization, "the body is not a form: %v", err)
	}
	name, version := form.child("Action").text(), form.child("Version").text()
	if name == "" {
		return wire.Errorf("MissingAction", "The call is missing the parameter Action: without X-Amz-Target, POST / takes a form with Action and Version.")
	}
	var spoken []string
	for _, s := range f.Services {
		if s.Version == "" {
			continue
		}
		spoken = append(spoken, s.Name+" "+s.Version)
		if s.Version != version {
			continue
		}
		c.service = s
		if _, ok := s.Operations[name]; ok {
			c.Name = name
			return nil
		}
	}
	return wire.Errorf(wire.CodeUnknownOperation, "Could not find operation %s for version %s; the services with the Query protocol here are: %s.",
		name, cmp.Or(version, "NO_VERSION_SPECIFIED"), strings.Join(spoken, ", "))
}

// node is a parameter and those below it.
type node struct {
	value    string
	set      bool // value is given
	children map[string]*node
}

func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	return n.children[name]
}

func (n *node) text() string {
	if n == nil {
		return ""
	}
	return n.value
}

// These are more than any call has, and bound the memory that a body of a given size
// can take: maxDepth is of the parts of a parameter's name, maxGroups of the nodes
// that have children. PutMetricData may have 30 dimensions in each of 1,000 metrics.
const (
	maxDepth  = 32
	maxGroups = 65_536
)

// parseForm makes a tree of a form's parameters. Of one that is given twice the
// last counts.
func parseForm(body []byte) (*node, error) {
	root := &node{}
	if bytes.Count(body, []byte("&")) > maxValues {
		return nil, fmt.Errorf("there are more than %d parameters", maxValues)
	}
	groups := 0
	for pair := range strings.SplitSeq(string(body), "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, err
		}
		if strings.Count(name, ".") >= maxDepth {
			return nil, fmt.Errorf("the name of a parameter has more than %d parts", maxDepth)
		}
		n := root
		for part := range strings.SplitSeq(name, ".") {
			if n.children == nil {
				if groups++; groups > maxGroups {
					return nil, fmt.Errorf("there are more than %d groups of parameters", maxGroups)
				}
				n.children = map[string]*node{}
			}
			if n.children[part] == nil {
				n.children[part] = &node{}
			}
			n = n.children[part]
		}
		n.value, n.set = value, true
	}
	return root, nil
}

func decodeForm(body []byte, v any) error {
	form, err := parseForm(body)
	if err != nil {
		return err
	}
	return form.decode("", reflect.ValueOf(v).Elem())
}

// decode sets v, whose name is path, to what the form holds.
func (n *node) decode(path string, v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return n.decode(path, v.Elem())
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return named(path, n.value, u.UnmarshalText([]byte(n.value)))
	}
	switch v.Kind() {
	case reflect.Struct:
		return n.decodeStruct(path, v)
	case reflect.Slice:
		return n.decodeList(path, v)
	case reflect.Map:
		return n.decodeMap(path, v)
	}
	if !n.set {
		return fmt.Errorf("%s has no value", path)
	}
	return named(path, n.value, setScalar(v, n.value))
}

func (n *node) decodeStruct(path string, v reflect.Value) error {
	for name, index := range members(v.Type()) {
		if c := n.child(name); c != nil {
			if err := c.decode(under(path, name), v.FieldByIndex(index)); err != nil {
				return err
			}
		}
	}
	return nil
}

// decodeList takes the members in the order of their numbers, which may have gaps.
// An empty list is a parameter without a value.
func (n *node) decodeList(path string, v reflect.Value) error {
	members, err := n.numbered(path, "member")
	if err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), len(members), len(members)))
	for i, m := range members {
		if err := m.decode(fmt.Sprintf("%s.member.%d", path, i+1), v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) decodeMap(path string, v reflect.Value) error {
	entries, err := n.numbered(path, "entry")
	if err != nil {
		return err
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i, e := range entries {
		at := fmt.Sprintf("%s.entry.%d", path, i+1)
		value := reflect.New(v.Type().Elem()).Elem()
		if e.child("value") == nil {
			return fmt.Errorf("%s has no value", at)
		}
		if err := e.child("value").decode(at+".value", value); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(e.child("key").text()), value)
	}
	return nil
}

// numbered returns the children of the child of that name, which are called 1, 2, …
func (n *node) numbered(path, name string) ([]*node, error) {
	list := n.child(name)
	if list == nil {
		if n.children != nil || n.value != "" {
			return nil, fmt.Errorf("%s must be a list: %s.%s.1", path, path, name)
		}
		return nil, nil
	}
	numbers := map[int]*node{}
	for text, c := range list.children {
		i, err := strconv.ParseInt(text, 10, 32)
		if err != nil || i < 1 || text[0] == '+' || text[0] == '0' {
			return nil, fmt.Errorf("%s.%s.%q is not numbered from 1", path, name, text)
		}
		numbers[int(i)] = c
	}
	var nodes []*node
	for _, i := range slices.Sorted(maps.Keys(numbers)) {
		nodes = append(nodes, numbers[i])
	}
	return nodes, nil
}

func setScalar(v reflect.Value, text string) (err error) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err == nil {
			v.SetBool(b)
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		var i int64
		if i, err = strconv.ParseInt(text, 10, v.Type().Bits()); err == nil {
			v.SetInt(i)
		}
	case reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err == nil {
			v.SetFloat(f)
		}
	default:
		panic("awsapi: no parameter can be a " + v.Type().String())
	}
	return err
}

func named(path, value string, err error) error {
	if err != nil {
		return fmt.Errorf("%s cannot be %.100q", path, value)
	}
	return nil
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// members are a struct's exported fields by the name that they travel under: that
// of the tag json, or their own.
func members(t reflect.Type) func(yield func(string, []int) bool) {
	return func(yield func(string, []int) bool) {
		for _, f := range reflect.VisibleFields(t) {
			if f.Anonymous || !f.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "-" && !yield(cmp.Or(name, f.Name), f.Index) {
				return
			}
		}
	}
}

// encodeXML words the answer to a call that went well.
func encodeXML(c *Call, out any) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%sResponse xmlns=\"", c.Name)
	escape(&b, c.service.Namespace)
	b.WriteString("\">")
	if out != nil {
		element(&b, c.Name+"Result", reflect.ValueOf(out))
	}
	b.WriteString("<ResponseMetadata>")
	element(&b, "RequestId", reflect.ValueOf(c.id))
	fmt.Fprintf(&b, "</ResponseMetadata></%sResponse>", c.Name)
	return b.Bytes()
}

// element writes v; what is not there, a nil pointer, has no element.
func element(b *bytes.Buffer, name string, v reflect.Value) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	b.WriteString("<" + name + ">")
	switch text, scalar := scalar(v); {
	case scalar:
		escape(b, text)
	case v.Kind() == reflect.Struct:
		for name, index := range members(v.Type()) {
			if f := v.FieldByIndex(index); !(f.IsZero() && omitted(v.Type().FieldByIndex(index))) {
				element(b, name, f)
			}
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			element(b, "member", v.Index(i))
		}
	case v.Kind() == reflect.Map:
		for _, key := range slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) }) {
			b.WriteString("<entry>")
			element(b, "key", key)
			element(b, "value", v.MapIndex(key))
			b.WriteString("</entry>")
		}
	default:
		panic("awsapi: no answer can hold a " + v.Type().String())
	}
	b.WriteString("</" + name + ">")
}

func omitted(f reflect.StructField) bool { return strings.Contains(f.Tag.Get("json"), ",omitempty") }

func scalar(v reflect.Value) (string, bool) {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			panic("awsapi: an answer that cannot be XML: " + err.Error())
		}
		return string(text), true
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), true
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), true
	case reflect.Int, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), true
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64), true
	}
	return "", false
}

// escape writes text; what XML cannot hold becomes U+FFFD.
func escape(b *bytes.Buffer, text string) {
	_ = xml.EscapeText(b, []byte(text)) // a buffer takes everything
}

func failureXML(c *Call, status int, e *wire.Error) []byte {
	code, fault := c.service.queryError(status, e.Code)
	code = cmp.Or(queryCodes[code], code)
	type detail struct{ Type, Code, Message string }
	text, err := xml.Marshal(struct {
		XMLName   xml.Name
		Error     detail
		RequestId string
	}{
		XMLName: xml.Name{Space: c.service.Namespace, Local: "ErrorResponse"},
		Error:   detail{fault, code, e.Message}, RequestId: c.id,
	})
	if err != nil {
		panic("awsapi: an error that cannot be XML: " + err.Error())
	}
	return text
}

// queryCodes are the front end's errors in the Query protocol, as the API references
// of CloudWatch and CloudFormation list them (Common Errors).
var queryCodes = map[string]string{
	wire.CodeUnknownOperation:    "InvalidAction",
	wire.CodeSerialization:       "MalformedQueryString",
	wire.CodeMissingAuthToken:    "MissingAuthenticationToken",
	wire.CodeIncompleteSignature: "IncompleteSignature",
	wire.CodeInvalidSignature:    "SignatureDoesNotMatch",
	wire.CodeUnrecognizedClient:  "InvalidClientTokenId",
}

// queryError is an error's code in the Query protocol, and whose fault it is. boto3
// raises its exceptions by it in other protocols too, where the service once spoke
// Query: it asks by the header x-amzn-query-mode.
func (s *Service) queryError(status int, code string) (queryCode, fault string) {
	if s.QueryError != nil {
		code = s.QueryError(code)
	}
	fault = "Sender"
	if status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	return code, fault
}

// MarshalText writes a time as XML does.
func (t Timestamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format("2006-01-02T15:04:05.999Z07:00")), nil
}

// UnmarshalText reads a time in ISO 8601, as the Query protocol writes it.
func (t *Timestamp) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return err
	}
	return t.set(float64(at.Unix()) + float64(at.Nanosecond())/1e9)
}
