package awsapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type pair struct{ Name, Value *string }

type shape struct {
	Name    string `json:"name"`
	Count   *int32
	Size    int64
	Ratio   float64
	Flag    *bool
	When    *Timestamp
	Words   []string
	Pairs   []pair
	Nested  *shape
	Tags    map[string]string
	Ignored string `json:"-"`
}

// shapes is a service whose operations answer with what they were asked.
var shapes = &Service{
	Name: "Shapes", Signing: "shapes", Version: "2020-02-02", Namespace: "http://shapes.example/doc/",
	Operations: map[string]Operation{
		"Echo": func(_ context.Context, c *Call) (any, error) {
			var in shape
			err := c.Decode(&in)
			return in, err
		},
		"Nothing":     func(context.Context, *Call) (any, error) { return nil, nil },
		"Unsupported": nil,
	},
}

// query makes a call of form, which goes with the version of shapes unless it names
// another.
func query(form string) *http.Request {
	if !strings.Contains(form, "Version=") {
		form += "&Version=2020-02-02"
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return r
}

func shapesHandler() http.Handler {
	return New(Config{Services: []*Service{echo, shapes}, NoAuth: true, Logger: quietLogger})
}

func TestQuery(t *testing.T) {
	h := shapesHandler()
	id := regexp.MustCompile(`<RequestId>[0-9a-f-]{36}</RequestId>`)
	const empty = "<name></name><Size>0</Size><Ratio>0</Ratio><Words></Words><Pairs></Pairs><Tags></Tags>"
	response := func(op, result string) string {
		return "<" + op + `Response xmlns="http://shapes.example/doc/">` + result + "<ResponseMetadata>ID</ResponseMetadata></" + op + "Response>"
	}
	for _, tt := range []struct {
		form   string
		status int
		want   string
	}{
		{"Action=Nothing", 200, response("Nothing", "")},
		{"Action=Echo", 200, response("Echo", "<EchoResult>"+empty+"</EchoResult>")},
		{
			"Action=Echo&name=a%26%3Cb%3E+%C3%BC&Count=-3&Size=9007199254740993&Ratio=2.5e3&Flag=false&When=2026-01-02T03%3A04%3A05.5Z" +
				"&Words.member.2=two&Words.member.10=ten&Words.member.1=one&Pairs.member.1.Name=n&Pairs.member.1.Value=v&Pairs.member.2.Name=m" +
				"&Nested.name=in&Tags.entry.1.key=k&Tags.entry.1.value=t&Ignored=x&Other.member.1=x", 200,
			response("Echo", "<EchoResult><name>a&amp;&lt;b&gt; ü</name><Count>-3</Count><Size>9007199254740993</Size><Ratio>2500</Ratio><Flag>false</Flag>"+
				"<When>2026-01-02T03:04:05.5Z</When><Words><member>one</member><member>two</member><member>ten</member></Words>"+
				"<Pairs><member><Name>n</Name><Value>v</Value></member><member><Name>m</Name></member></Pairs>"+
				"<Nested>"+strings.Replace(empty, "<name></name>", "<name>in</name>", 1)+"</Nested>"+
				"<Tags><entry><key>k</key><value>t</value></entry></Tags></EchoResult>"),
		},
		{"Action=Echo&Words=", 200, response("Echo", "<EchoResult>"+empty+"</EchoResult>")},
		{"Action=Unsupported", 501, "<Code>NotImplementedException</Code>"},
		{"Action=Missing", 400, "<Code>InvalidAction</Code><Message>Could not find operation Missing for version 2020-02-02; the services with the Query protocol here are: Firehose 2015-08-04, Shapes 2020-02-02.</Message>"},
		{"Action=Echo&Version=", 400, "<Code>InvalidAction</Code><Message>Could not find operation Echo for version NO_VERSION_SPECIFIED"},
		{"Action=Echo&Version=2015-08-04", 400, "<Code>InvalidAction</Code>"},
		{"name=x", 400, "<Code>MissingAction</Code>"},
		{"Action=Echo&Count=x", 400, "<Code>MalformedQueryString</Code><Message>the body is not valid for Echo: Count cannot be &#34;x&#34;</Message>"},
		{"Action=Echo&Count=2147483648", 400, "Count cannot be"},
		{"Action=Echo&Flag=yes", 400, "Flag cannot be"},
		{"Action=Echo&When=yesterday", 400, "When cannot be"},
		{"Action=Echo&Nested.Ratio=x", 400, "Nested.Ratio cannot be"},
		{"Action=Echo&Count.x=1", 400, "Count has no value"},
		{"Action=Echo&Words=x", 400, "Words must be a list: Words.member.1"},
		{"Action=Echo&Words.1=x", 400, "Words must be a list: Words.member.1"},
		{"Action=Echo&Words.member.0=x", 400, "not numbered from 1"},
		{"Action=Echo&Words.member.01=x", 400, "not numbered from 1"},
		{"Action=Echo&Words.member.99999999999=x", 400, "not numbered from 1"},
		{"Action=Echo&Tags.entry.1.key=x", 400, "Tags.entry.1 has no value"},
		{"Action=Echo&name=%zz", 400, "<Code>MalformedQueryString</Code>"},
		{"Action=Echo&" + strings.Repeat("a.", 40) + "a=1", 400, "more than 32 parts"},
	} {
		status, answer := do(h, query(tt.form))
		answer = id.ReplaceAllString(answer, "ID")
		if status != tt.status || status == 200 && answer != tt.want || !strings.Contains(answer, tt.want) {
			t.Errorf("%s:\n%d %s\nwant %d %s", tt.form, status, answer, tt.status, tt.want)
		}
		if err := xml.Unmarshal([]byte(answer), new(struct{})); err != nil {
			t.Errorf("%s: the answer: %v in %s", tt.form, err, answer)
		}
	}
}

// TestQueryErrors: an error has the form that the SDKs read.
func TestQueryErrors(t *testing.T) {
	h := New(Config{Services: []*Service{shapes}, Credentials: map[string]string{testKey: testSecret}, Logger: quietLogger})
	_, answer := do(h, query("Action=Nothing"))
	var got struct {
		XMLName xml.Name
		Error   struct{ Type, Code, Message string }
	}
	if err := xml.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	if got.XMLName != (xml.Name{Space: "http://shapes.example/doc/", Local: "ErrorResponse"}) || got.Error.Type != "Sender" || got.Error.Code != "MissingAuthenticationToken" {
		t.Errorf("%+v in %s", got, answer)
	}
}

// TestGzip: bodies are decompressed in every protocol, after the signature is
// checked over what was sent.
func TestGzip(t *testing.T) {
	h := New(Config{Services: []*Service{echo, shapes}, NoAuth: true, Logger: quietLogger})
	for name, tt := range map[string]struct {
		r    *http.Request
		want string
	}{
		"Query": {query("Action=Echo&name=packed"), "<name>packed</name>"},
		"JSON":  {request("ListDeliveryStreams", `{"Limit":7}`), `"Limit":7`},
	} {
		body, _ := io.ReadAll(tt.r.Body)
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(body)
		_ = z.Close()
		tt.r.Body, tt.r.ContentLength = io.NopCloser(&packed), int64(packed.Len())
		tt.r.Header.Set("Content-Encoding", "gzip")
		if status, answer := do(h, tt.r); status != 200 || !strings.Contains(answer, tt.want) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

// FuzzQuery: what is decoded of a form is also what is decoded of the form that
// says the same.
func FuzzQuery(f *testing.F) {
	f.Add("name=a&Count=1&Words.member.1=x&Pairs.member.1.Name=n&Nested.Flag=true&Tags.entry.1.key=k&Tags.entry.1.value=v&When=2026-01-02T03:04:05Z")
	f.Add("Words.member.3=x&Words.member.1=y&Ratio=1e9&Nested.Nested.Nested.name=q")
	f.Add("Words=&Pairs.member.1=&Tags.entry.1.value=&name=%00%ff")
	f.Fuzz(func(t *testing.T, body string) {
		var first, second shape
		if decodeForm([]byte(body), &first) != nil {
			return
		}
		form := url.Values{}
		first.write(form, "")
		if err := decodeForm([]byte(form.Encode()), &second); err != nil {
			t.Fatalf("%q as %q: %v", body, form.Encode(), err)
		}
		opts := cmp.Options{cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b }), cmp.Comparer(func(a, b Timestamp) bool { return time.Time(a).Equal(time.Time(b)) })}
		// A list with nothing in it cannot be told from one that is not there.
		if diff := cmp.Diff(first.normal(), second.normal(), opts); diff != "" {
			t.Errorf("%q as %q (-want +got):\n%s", body, form.Encode(), diff)
		}
		answer := encodeXML(&Call{Name: "Echo", service: shapes, id: "id"}, first)
		if err := xml.Unmarshal(answer, new(struct{})); err != nil {
			t.Errorf("%q: the answer %q: %v", body, answer, err)
		}
	})
}

// write puts s into a form, by hand.
func (s *shape) write(form url.Values, at string) {
	set := func(name, value string) { form.Set(at+name, value) }
	set("name", s.Name)
	set("Size", fmt.Sprint(s.Size))
	set("Ratio", fmt.Sprint(s.Ratio))
	if s.Count != nil {
		set("Count", fmt.Sprint(*s.Count))
	}
	if s.Flag != nil {
		set("Flag", fmt.Sprint(*s.Flag))
	}
	if s.When != nil {
		set("When", time.Time(*s.When).Format(time.RFC3339Nano))
	}
	for i, w := range s.Words {
		set(fmt.Sprintf("Words.member.%d", i+1), w)
	}
	for i, p := range s.Pairs {
		set(fmt.Sprintf("Pairs.member.%d", i+1), "")
		for name, value := range map[string]*string{"Name": p.Name, "Value": p.Value} {
			if value != nil {
				set(fmt.Sprintf("Pairs.member.%d.%s", i+1, name), *value)
			}
		}
	}
	n := 0
	for k, v := range s.Tags {
		n++
		set(fmt.Sprintf("Tags.entry.%d.key", n), k)
		set(fmt.Sprintf("Tags.entry.%d.value", n), v)
	}
	if s.Nested != nil {
		s.Nested.write(form, at+"Nested.")
	}
}

func (s shape) normal() shape {
	if len(s.Words) == 0 {
		s.Words = nil
	}
	if len(s.Pairs) == 0 {
		s.Pairs = nil
	}
	if len(s.Tags) == 0 {
		s.Tags = nil
	}
	if s.Nested != nil {
		n := s.Nested.normal()
		s.Nested = &n
	}
	return s
}
