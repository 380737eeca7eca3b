package admin_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
)

// paging is an iterator over pages: the API's answers and how to go through them.
type paging struct {
	name   string
	token  func(*http.Request) string // of the page that is asked for
	answer func(items []string, next string) string
	list   func(context.Context, aws.Config) iter.Seq2[string, error]
}

// values makes strings of what an iterator yields.
func values[T any](seq iter.Seq2[T, error], text func(T) string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for v, err := range seq {
			if !yield(text(v), err) {
				return
			}
		}
	}
}

// element is <name>text</name>, or nothing for no text.
func element(name, text string) string {
	if text == "" {
		return ""
	}
	return "<" + name + ">" + text + "</" + name + ">"
}

func each(items []string, format string) string {
	var b strings.Builder
	for _, item := range items {
		fmt.Fprintf(&b, format, item)
	}
	return b.String()
}

func query(name string) func(*http.Request) string {
	return func(r *http.Request) string { return r.FormValue(name) }
}

var pagings = []paging{
	{
		"StackEvents", query("NextToken"),
		func(items []string, next string) string {
			return "<R><DescribeStackEventsResult><StackEvents>" + each(items, "<member><EventId>%s</EventId></member>") + "</StackEvents>" +
				element("NextToken", next) + "</DescribeStackEventsResult></R>"
		},
		func(ctx context.Context, cfg aws.Config) iter.Seq2[string, error] {
			return values(admin.StackEvents(ctx, cloudformation.NewFromConfig(cfg), "s"), func(e stackEvent) string { return aws.ToString(e.EventId) })
		},
	},
	{
		"StackResources", query("NextToken"),
		func(items []string, next string) string {
			return "<R><ListStackResourcesResult><StackResourceSummaries>" + each(items, "<member><LogicalResourceId>%s</LogicalResourceId></member>") + "</StackResourceSummaries>" +
				element("NextToken", next) + "</ListStackResourcesResult></R>"
		},
		func(ctx context.Context, cfg aws.Config) iter.Seq2[string, error] {
			return values(admin.StackResources(ctx, cloudformation.NewFromConfig(cfg), "s"), func(r stackResource) string { return aws.ToString(r.LogicalResourceId) })
		},
	},
	{
		"Objects", query("continuation-token"),
		func(items []string, next string) string {
			return "<R>" + element("NextContinuationToken", next) + fmt.Sprintf("<IsTruncated>%v</IsTruncated>", next != "") + each(items, "<Contents><Key>%s</Key></Contents>") + "</R>"
		},
		func(ctx context.Context, cfg aws.Config) iter.Seq2[string, error] {
			return values(admin.Objects(ctx, s3Client(cfg), "b", ""), func(o admin.Object) string { return o.Key })
		},
	},
	{
		"ObjectVersions", markers("key-marker", "version-id-marker"),
		func(items []string, next string) string {
			// Every other one is a delete marker.
			var versions, deleted string
			for i, item := range items {
				if i%2 == 0 {
					versions += "<Version><Key>" + item + "</Key><VersionId>v</VersionId><Size>7</Size></Version>"
				} else {
					deleted += "<DeleteMarker><Key>" + item + "</Key><VersionId>v</VersionId></DeleteMarker>"
				}
			}
			return "<R>" + nextMarkers(next, "NextKeyMarker", "NextVersionIdMarker") + versions + deleted + "</R>"
		},
		func(ctx context.Context, cfg aws.Config) iter.Seq2[string, error] {
			return values(admin.ObjectVersions(ctx, s3Client(cfg), "b", "123456789012"), func(v admin.ObjectVersion) string { return v.Key })
		},
	},
	{
		"Uploads", markers("key-marker", "upload-id-marker"),
		func(items []string, next string) string {
			return "<R>" + nextMarkers(next, "NextKeyMarker", "NextUploadIdMarker") + each(items, "<Upload><Key>%s</Key><UploadId>u</UploadId></Upload>") + "</R>"
		},
		func(ctx context.Context, cfg aws.Config) iter.Seq2[string, error] {
			return values(admin.Uploads(ctx, s3Client(cfg), "b", "123456789012"), func(u admin.Upload) string { return u.Key })
		},
	},
}

// markers joins the two parts of S3's tokens. The page that begins at one must be
// asked for by both.
func markers(key, second string) func(*http.Request) string {
	return func(r *http.Request) string {
		if owner := r.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "123456789012" {
			return "no owner"
		}
		token := r.FormValue(key)
		if part := r.FormValue(second); part != "" || token != "" {
			token += "/" + part
		}
		return strings.TrimSuffix(token, "/second")
	}
}

func nextMarkers(next, key, second string) string {
	if next == "" {
		return "<IsTruncated>false</IsTruncated>"
	}
	return "<IsTruncated>true</IsTruncated>" + element(key, next) + element(second, "second")
}

// aPage is an answer: a page, or an error if it has a code.
type aPage struct {
	items []string
	next  string
	code  string
}

// pages answers with one page after the other, the last one for ever.
type pages struct {
	*testing.T
	paging
	script []aPage
	calls  int
	token  string // that the last page gave
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := p.script[min(p.calls, len(p.script)-1)]
	if got := p.paging.token(r); got != p.token {
		p.Errorf("%s: call %d asks for the page at %q, want %q", p.name, p.calls, got, p.token)
	}
	p.calls++
	if page.code != "" {
		w.WriteHeader(http.StatusBadRequest)
		text := element("Code", page.code) + element("Message", "no")
		fmt.Fprintf(w, "<ErrorResponse><Error>%s</Error>%s</ErrorResponse>", text, text) // Query's form, and in it S3's
		return
	}
	p.token = page.next
	fmt.Fprint(w, p.answer(page.items, page.next))
}

func numbered(n int) []string {
	list := []string{}
	for i := range n {
		list = append(list, fmt.Sprintf("i%04d", i))
	}
	return list
}

func TestPages(t *testing.T) {
	hundred := numbered(101)
	for _, tc := range []struct {
		name  string
		pages []aPage
		want  []string
		calls int
		err   string
	}{
		{"none", []aPage{{}}, nil, 1, ""},
		{"one", []aPage{{items: numbered(1)}}, numbered(1), 1, ""},
		{"a page", []aPage{{items: hundred[:100]}}, numbered(100), 1, ""},
		{"a page, and nothing on the next", []aPage{{items: hundred[:100], next: "A"}, {}}, numbered(100), 2, ""},
		{"a page and one", []aPage{{items: hundred[:100], next: "A"}, {items: hundred[100:]}}, numbered(101), 2, ""},
		{"an empty page with a token", []aPage{{items: hundred[:2], next: "A"}, {next: "B"}, {items: hundred[2:4]}}, numbered(4), 3, ""},
		{"empty pages first", []aPage{{next: "A"}, {next: "B"}, {items: hundred[:1]}}, numbered(1), 3, ""},
		{"the same token again", []aPage{{items: hundred[:2], next: "A"}, {items: hundred[2:4], next: "A"}}, numbered(4), 2, "same page token twice"},
		{"a circle of tokens", []aPage{{items: hundred[:1], next: "A"}, {items: hundred[1:2], next: "B"}, {next: "A"}}, numbered(2), 3, "same page token twice"},
		{"an error at once", []aPage{{code: "AccessDenied"}}, nil, 1, "AccessDenied"},
		{"an error on the second page", []aPage{{items: hundred[:2], next: "A"}, {code: "AccessDenied"}}, numbered(2), 2, "AccessDenied"},
	} {
		for _, p := range pagings {
			s := &pages{T: t, paging: p, script: tc.pages}
			got, err := drain(p.list(t.Context(), configFor(s)))
			// ObjectVersions has the delete markers of a page last.
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", p.name, tc.name, diff)
			}
			if s.calls != tc.calls {
				t.Errorf("%s, %s: %d calls, want %d", p.name, tc.name, s.calls, tc.calls)
			}
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s, %s: error %v, want %q", p.name, tc.name, err, tc.err)
			}
		}
	}
}

// drain returns what comes before the first error, which must be the end.
func drain(seq iter.Seq2[string, error]) (got []string, err error) {
	for v, e := range seq {
		if err != nil {
			return got, errors.New("something comes after an error")
		}
		if err = e; err == nil {
			got = append(got, v)
		}
	}
	return got, err
}

// What moves on to the next page while the pages are read comes once.
func TestPagesOverlap(t *testing.T) {
	for _, p := range pagings[:2] {
		s := &pages{T: t, paging: p, script: []aPage{{items: []string{"a", "b"}, next: "A"}, {items: []string{"b", "c"}}}}
		if got, err := drain(p.list(t.Context(), configFor(s))); err != nil || !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("%s: %q, %v", p.name, got, err)
		}
	}
}

// A throttled page is asked for again, after a wait, and what came before does not
// come twice.
func TestPagesThrottled(t *testing.T) {
	for _, p := range pagings {
		bubble(t, func(t *testing.T) {
			slow := aPage{code: "ThrottlingException"}
			s := &pages{T: t, paging: p, script: []aPage{
				{items: []string{"a", "b"}, next: "A"}, slow, slow, slow, slow, slow, slow, {items: []string{"c"}, next: "B"}, slow, {items: []string{"d"}},
			}}
			cfg := configFor(s)
			cfg.Retryer = nil
			started := time.Now()
			got, err := drain(p.list(t.Context(), admin.Patient(cfg)))
			if slices.Sort(got); err != nil || !slices.Equal(got, []string{"a", "b", "c", "d"}) || s.calls != 10 {
				t.Errorf("%s: %q in %d calls, %v", p.name, got, s.calls, err)
			}
			if took := time.Since(started); took < time.Second {
				t.Errorf("%s: asked 7 times again within %v", p.name, took)
			}
			// Somebody's own setting stays.
			s.calls, s.token, cfg.RetryMaxAttempts = 0, "", 2
			if _, err := drain(p.list(t.Context(), admin.Patient(cfg))); err == nil || s.calls != 3 {
				t.Errorf("%s: with 2 attempts %d calls, %v", p.name, s.calls, err)
			}
		})
	}
}

func TestPagesStop(t *testing.T) {
	for _, p := range pagings {
		t.Run(p.name, func(t *testing.T) {
			script := []aPage{{items: []string{"a", "b"}, next: "A"}, {items: []string{"c"}}}
			s := &pages{T: t, paging: p, script: script}
			for range p.list(t.Context(), configFor(s)) {
				break
			}
			if s.calls != 1 {
				t.Errorf("%d calls after a break", s.calls)
			}
			s = &pages{T: t, paging: p, script: script}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var got []string
			var last error
			for v, err := range p.list(ctx, configFor(s)) {
				cancel()
				if last = err; err == nil {
					got = append(got, v)
				}
			}
			if !errors.Is(last, context.Canceled) || s.calls != 1 || len(got) != 2 {
				t.Errorf("cancelled: %q in %d calls, %v", got, s.calls, last)
			}
		})
	}
}
