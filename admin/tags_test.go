package admin_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/hydranttest"
)

func tagsOf(n int) (tags []admin.Tag) {
	tags = []admin.Tag{}
	for i := range n {
		tags = append(tags, admin.Tag{Key: fmt.Sprintf("k%03d", i), Value: fmt.Sprint(i)})
	}
	return tags
}

func TestTags(t *testing.T) {
	for _, n := range []int{0, 1, 49, 50} {
		bubble(t, func(t *testing.T) {
			fh := hydranttest.Start(t, hydranttest.Options{})
			fh.CreateStream("s")
			in := &firehose.TagDeliveryStreamInput{DeliveryStreamName: aws.String("s")}
			for _, tag := range tagsOf(n) {
				in.Tags = append(in.Tags, types.Tag{Key: &tag.Key, Value: &tag.Value})
			}
			if n > 0 {
				if _, err := fh.Client().TagDeliveryStream(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tagsOf(n), collect(t, admin.Tags(t.Context(), fh.Client(), "s"))); diff != "" {
				t.Errorf("%d tags (-want +got):\n%s", n, diff)
			}
		})
	}
}

// pager answers ListTagsForDeliveryStream with pages of a size of its own.
type pager struct {
	tags  []admin.Tag
	size  int
	more  func(page int, more bool) bool // what HasMoreTags says
	fail  map[int]error                  // by call, from 1
	calls int
}

func (p *pager) ListTagsForDeliveryStream(ctx context.Context, in *firehose.ListTagsForDeliveryStreamInput, _ ...func(*firehose.Options)) (*firehose.ListTagsForDeliveryStreamOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.calls++
	if err := p.fail[p.calls]; err != nil {
		return nil, err
	}
	out := &firehose.ListTagsForDeliveryStreamOutput{HasMoreTags: aws.Bool(false)}
	for _, tag := range p.tags {
		if in.ExclusiveStartTagKey != nil && tag.Key <= *in.ExclusiveStartTagKey {
			continue
		}
		if len(out.Tags) == p.size {
			out.HasMoreTags = aws.Bool(true)
			break
		}
		out.Tags = append(out.Tags, types.Tag{Key: &tag.Key, Value: &tag.Value})
	}
	if p.more != nil {
		out.HasMoreTags = aws.Bool(p.more(p.calls, *out.HasMoreTags))
	}
	return out, nil
}

// All tags come, each once, whatever the pages: none, one, a page full, one more, several.
func TestTagsPages(t *testing.T) {
	for _, tc := range []struct{ tags, size, calls int }{{0, 3, 1}, {1, 3, 1}, {2, 3, 1}, {3, 3, 1}, {4, 3, 2}, {6, 3, 2}, {7, 3, 3}, {50, 1, 50}} {
		p := &pager{tags: tagsOf(tc.tags), size: tc.size}
		if diff := cmp.Diff(tagsOf(tc.tags), collect(t, admin.Tags(t.Context(), p, "s"))); diff != "" || p.calls != tc.calls {
			t.Errorf("%+v: %d calls (-want +got):\n%s", tc, p.calls, diff)
		}
	}
	always := func(int, bool) bool { return true }
	p := &pager{tags: tagsOf(3), size: 3, more: always}
	if got := collect(t, admin.Tags(t.Context(), p, "s")); len(got) != 3 || p.calls != 2 {
		t.Errorf("an empty page with more: %d tags in %d calls", len(got), p.calls)
	}
	p = &pager{size: 3, more: always}
	if got := collect(t, admin.Tags(t.Context(), p, "s")); len(got) != 0 || p.calls != 1 {
		t.Errorf("an empty first page with more: %d tags in %d calls", len(got), p.calls)
	}
}

func TestTagsOddPages(t *testing.T) {
	page := func(more bool, keys ...string) any {
		list := []any{}
		for _, k := range keys {
			list = append(list, map[string]any{"Key": k, "Value": "v"})
		}
		return map[string]any{"Tags": list, "HasMoreTags": more}
	}
	for _, tc := range []struct {
		name  string
		pages []any
		want  string
		calls int
	}{
		{"overlap", []any{page(true, "a", "b"), page(false, "b", "c")}, "a b c", 2},
		{"the same for ever", []any{page(true, "a", "b")}, "a b", 2},
		{"without HasMoreTags", []any{map[string]any{"Tags": []any{map[string]any{"Key": "a"}}}}, "a", 1},
	} {
		s := &scripted{answers: tc.pages}
		var keys []string
		for _, tag := range collect(t, admin.Tags(t.Context(), s.client(), "s")) {
			keys = append(keys, tag.Key)
		}
		if got := strings.Join(keys, " "); got != tc.want || len(s.asked) != tc.calls {
			t.Errorf("%s: %s in %d calls, want %s in %d", tc.name, got, len(s.asked), tc.want, tc.calls)
		}
	}
	s := &scripted{answers: []any{page(true, "a", "b"), page(false, "c")}}
	collect(t, admin.Tags(t.Context(), s.client(), "s"))
	want := []map[string]any{
		{"DeliveryStreamName": "s", "Limit": 50.0},
		{"DeliveryStreamName": "s", "Limit": 50.0, "ExclusiveStartTagKey": "b"},
	}
	if diff := cmp.Diff(want, s.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// A listing ends where its reader does, with its context, and with an error, after what
// came before.
func TestTagsEnd(t *testing.T) {
	p := &pager{tags: tagsOf(7), size: 3}
	for range admin.Tags(t.Context(), p, "s") {
		break
	}
	if p.calls != 1 {
		t.Errorf("%d calls after a break, want 1", p.calls)
	}
	read := func(ctx context.Context, p *pager, each func()) (n int, last error) {
		for _, err := range admin.Tags(ctx, p, "s") {
			if err != nil {
				last = err
				continue
			}
			n++
			each()
		}
		return n, last
	}
	ctx, cancel := context.WithCancel(t.Context())
	p = &pager{tags: tagsOf(7), size: 3}
	if n, err := read(ctx, p, cancel); n != 3 || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %d tags, %v", n, err)
	}
	p = &pager{tags: tagsOf(7), size: 3, fail: map[int]error{2: errors.New("no")}}
	if n, err := read(t.Context(), p, func() {}); n != 3 || err == nil || err.Error() != "list the tags of delivery stream s: no" || p.calls != 2 {
		t.Errorf("failed: %d tags, %v, %d calls", n, err, p.calls)
	}
}

// Throttled in the middle, a listing goes on where it was: all tags, each once.
func TestTagsThrottled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		page := func(more bool, key string) any {
			return map[string]any{"Tags": []any{map[string]any{"Key": key, "Value": key}}, "HasMoreTags": more}
		}
		slow := awsError{400, "ThrottlingException", "Please slow down. Max limit of 5 RPS has breached for"}
		answers := []any{page(true, "a")}
		for range 8 {
			answers = append(answers, slow)
		}
		s := &scripted{answers: append(answers, page(true, "b"), slow, page(false, "c"))}
		cfg := admin.Control(configFor(s), silent)
		began := time.Now()
		got := collect(t, admin.Tags(t.Context(), firehose.NewFromConfig(cfg), "s"))
		if want := []admin.Tag{{Key: "a", Value: "a"}, {Key: "b", Value: "b"}, {Key: "c", Value: "c"}}; cmp.Diff(want, got) != "" {
			t.Errorf("%v", got)
		}
		if took := time.Since(began); len(s.asked) != 12 || took < 5*time.Second {
			t.Errorf("%d calls in %v", len(s.asked), took)
		}
	})
}
