// Package conformance is what is known of the answers of Amazon Data Firehose, as
// a table of cases that run against any endpoint: the local Firehose, another
// emulator, or AWS itself. What makes the calls is an AWS SDK, that for Go or boto3.
//
// A case says only what a source has: where a source has the code of an error and
// not its words, the words are not compared.
package conformance

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Case is one truth about the service.
type Case struct {
	Area string `json:"area"` // such as tags
	Name string `json:"name"` // unique
	// Source says who saw it: a source's tag and a section of the project's sheet
	// of facts, such as "STACKD, facts 1.7".
	Source string `json:"source"`
	Steps  []Step `json:"steps"`
	// Known is why the local Firehose differs, and empty where it does not.
	Known string `json:"known,omitempty"`
}

// Step is one call. In its texts {s} stands for a name of a stream that nobody
// else has, and {b} for the name of an empty bucket.
type Step struct {
	// Op is an operation of the API, or Objects: deliver what is buffered and read
	// the bucket {b}.
	Op   string `json:"op"`
	In   string `json:"in,omitempty"`   // the operation's input in JSON
	Sign string `json:"sign,omitempty"` // how the call is signed wrongly: one of the signings
	Want Want   `json:"want"`
}

// Want is what must come back. The zero value is success. A text that begins with ~
// is a regular expression.
type Want struct {
	Status  int    `json:"status,omitempty"` // of HTTP; 0: 200, or 400 if there is a Code
	Code    string `json:"code,omitempty"`   // of the error
	Message string `json:"message,omitempty"`
	// Fields is JSON that the answer must contain, as it came and as the SDK read it:
	// of objects the members that are named, where null is one that must not be there
	// and ~ one that must be, of any type; of lists every element.
	Fields string `json:"fields,omitempty"`
	// Objects is all of the bucket's, in any order.
	Objects []Object `json:"objects,omitempty"`
}

// Object is one that was delivered.
type Object struct {
	Key      string `json:"key"`      // a regular expression
	Encoding string `json:"encoding"` // its Content-Encoding
	Type     string `json:"type,omitempty"`
	// Body is what it holds, decompressed if its Format is GZIP, ZIP, Snappy or
	// HADOOP_SNAPPY.
	Body   string `json:"body"`
	Format string `json:"format,omitempty"`
}

// Result is what came of a case.
type Result struct {
	Case
	// Err is nil if all was as it must be, and else says in one line what was not.
	Err error
}

// Run runs cases by an SDK one after the other, and deletes the streams that they
// make. The endpoint ought to have no others: some cases list all. An error says
// that the SDK cannot be had: ErrNoBoto3, or one that is no SDK's name.
func Run(ctx context.Context, e Endpoint, sdk SDK, cases []Case) ([]Result, error) {
	c, err := sdk.open(ctx, e)
	if err != nil {
		return nil, err
	}
	run := strings.ToLower(rand.Text()[:6])
	results := make([]Result, 0, len(cases))
	for i, each := range cases {
		stream := fmt.Sprintf("c%03d-%s", i+1, run)
		r := runner{client: c, flush: e.Flush, names: strings.NewReplacer("{s}", stream, "{b}", "bucket-"+stream), bucket: "bucket-" + stream}
		results = append(results, Result{each, r.run(ctx, each)})
	}
	return results, c.close()
}

type runner struct {
	client
	flush  func(context.Context) error
	names  *strings.Replacer
	bucket string
	made   []string // streams
}

func (r *runner) run(ctx context.Context, c Case) error {
	defer r.tidy(ctx)
	if slices.ContainsFunc(c.Steps, Step.needsBucket) {
		if err := r.makeBucket(ctx, r.bucket); err != nil {
			return fmt.Errorf("make the bucket: %w", err)
		}
	}
	for i, s := range c.Steps {
		if err := r.step(ctx, s); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, s.Op, err)
		}
	}
	return nil
}

// needsBucket tells whether the bucket {b} has to be there: some Firehoses deliver
// within a put.
func (s Step) needsBucket() bool { return s.Op == "Objects" || strings.HasPrefix(s.Op, "PutRecord") }

// tidy deletes the streams; their being gone already is no matter.
func (r *runner) tidy(ctx context.Context) {
	for _, name := range r.made {
		_, _ = r.call(ctx, "DeleteDeliveryStream", `{"DeliveryStreamName":"`+name+`"}`, "")
	}
}

func (r *runner) step(ctx context.Context, s Step) error {
	if s.Op == "Objects" {
		return r.checkObjects(ctx, s.Want.Objects)
	}
	in := r.names.Replace(s.In)
	got, err := r.call(ctx, s.Op, in, s.Sign)
	if s.Op == "CreateDeliveryStream" && err == nil && got.code == "" {
		var made struct{ DeliveryStreamName string }
		_ = json.Unmarshal([]byte(in), &made) // call has read it
		r.made = append(r.made, made.DeliveryStreamName)
	}
	return s.Want.check(got, err, r.names)
}

func (w Want) check(got answer, err error, names *strings.Replacer) error {
	if w.Code != "" {
		return w.checkRefusal(got, err, names)
	}
	if err != nil || got.code != "" || got.status != cmp.Or(w.Status, 200) {
		return refusal(got, err)
	}
	if w.Fields == "" {
		return nil
	}
	var want any
	if err := json.Unmarshal([]byte(names.Replace(w.Fields)), &want); err != nil {
		return fmt.Errorf("the case's fields: %w", err)
	}
	if err := has(got.body, want); err != nil {
		return err
	}
	if err := has(got.output, want); err != nil {
		return fmt.Errorf("as the SDK read it: %w", err)
	}
	return nil
}

// has tells what text, which is JSON, lacks.
func has(text []byte, want any) error {
	var have any
	if err := json.Unmarshal(text, &have); err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	return contains("", want, have)
}

func (w Want) checkRefusal(got answer, err error, names *strings.Replacer) error {
	if err == nil && got.code == "" {
		return fmt.Errorf("accepted, want %s", w.Code)
	}
	status := cmp.Or(w.Status, 400)
	switch {
	case err != nil || got.code != w.Code || got.status != status:
		return fmt.Errorf("%w, want %d %s", refusal(got, err), status, w.Code)
	case w.Message != "" && !same(names.Replace(w.Message), got.message):
		return fmt.Errorf("message %q", got.message)
	}
	return nil
}

// refusal is what came instead of an output, in short.
func refusal(got answer, err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("%d %s %q", got.status, got.code, got.message)
	case got.status != 0:
		return fmt.Errorf("HTTP %d with a body that is none of the API's", got.status)
	}
	return err
}

// same compares a text with one that may be a regular expression.
func same(want, got string) bool {
	if pattern, ok := strings.CutPrefix(want, "~"); ok {
		return regexp.MustCompile(pattern).MatchString(got)
	}
	return want == got
}

// contains tells where got lacks what want has.
func contains(path string, want, got any) error {
	if want == "~" && got != nil {
		return nil
	}
	switch want := want.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		if !ok {
			return differs(path, want, got)
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if err := contains(path+"."+name, want[name], have[name]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		have, ok := got.([]any)
		if !ok || len(have) != len(want) {
			return differs(path, want, got)
		}
		for i, each := range want {
			if err := contains(fmt.Sprintf("%s.%d", path, i), each, have[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		if have, ok := got.(string); ok && same(want, have) {
			return nil
		}
	default:
		if reflect.DeepEqual(want, got) {
			return nil
		}
	}
	return differs(path, want, got)
}

func differs(path string, want, got any) error {
	return fmt.Errorf("%s is %s, want %s", strings.TrimPrefix(path, "."), short(got), short(want))
}

func short(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // it came from JSON
	return strings.TrimSpace(b.String())
}
