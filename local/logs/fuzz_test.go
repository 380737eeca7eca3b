package logs

import (
	"testing"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// FuzzTokens: a token that was not given out is refused, or stands for a place like any
// other: pages from there hold each event after it once, in order.
func FuzzTokens(f *testing.F) {
	events := make([]event, 20)
	for i := range events {
		events[i] = event{time: int64(i / 3), seq: uint64(i + 1), message: "m"}
	}
	f.Add("f/00000000000000000000000000000000000300000000000000000005/s", 3)
	f.Add("b/00000000000000000000000000000000000300000000000000000005/s", 1)
	f.Add("f/-0000000000000000000000000000000000100000000000000000000/s", 2)
	f.Add("f/99999999999999999999999999999999999999999999999999999999/s", 2)
	f.Add("eyJMYXN0IjoxLCJOYW1lIjoieCJ9", 1)
	f.Fuzz(func(t *testing.T, token string, limit int) {
		var place streamPlace
		if readToken(&token, &place) == nil {
			if err := readToken(new(awsapi.Token(place)), &place); err != nil {
				t.Errorf("%q is read as %+v, which is no token: %v", token, place, err)
			}
		}
		direction, p, err := parseToken(token)
		if err != nil {
			return
		}
		limit = min(max(limit, 1), maxPageEvents)
		seen := 0
		for next := p; ; seen++ {
			out := page(events, direction, next, 1)
			to := out.NextForwardToken
			if direction == 'b' {
				to = out.NextBackwardToken
			}
			var err error
			if _, next, err = parseToken(to); err != nil {
				t.Fatalf("%q leads to %q: %v", token, to, err)
			}
			if len(out.Events) == 0 {
				break
			}
			if seen == len(events) {
				t.Fatalf("%q: the pages have no end", token)
			}
		}
		whole := page(events, direction, p, len(events))
		if len(whole.Events) != seen || len(page(events, direction, p, limit).Events) > limit {
			t.Errorf("%q: one by one there are %d events, all at once %d", token, seen, len(whole.Events))
		}
	})
}
