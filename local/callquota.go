package local

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

// awsControlCalls is how many calls a second AWS takes of each control operation
// (developer guide, limits).
const awsControlCalls = 5

// callQuota is what the control operations take: each one by itself, of an account in
// a region.
type callQuota struct {
	mu       sync.Mutex // guards the fields below
	calls    int        // a second; 0: no limit
	limiters map[controlCall]*rate.Limiter
}

type controlCall struct {
	server.Caller
	op string
}

// maxLimiters is how many are kept; then all begin anew. Callers choose their regions.
const maxLimiters = 1000

// set makes n the quota, at once.
func (q *callQuota) set(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls, q.limiters = n, nil
}

func (q *callQuota) get() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls
}

// admit takes a call or refuses it. AWS was seen to refuse DescribeDeliveryStream in
// these words (terraform-provider-aws, pull request 26197), and ListTagsForDeliveryStream
// with the same code and "Please slow down. Max limit of 5 RPS has breached for" and
// more that was not shown (prowler, issue 9124). Which operation has which is UNVERIFIED.
func (q *callQuota) admit(c server.Caller, op string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.calls == 0 {
		return nil
	}
	key := controlCall{c, op}
	l := q.limiters[key]
	if l == nil {
		if q.limiters == nil || len(q.limiters) >= maxLimiters {
			q.limiters = map[controlCall]*rate.Limiter{}
		}
		l = rate.NewLimiter(rate.Limit(q.calls), q.calls)
		q.limiters[key] = l
	}
	if !l.AllowN(time.Now(), 1) {
		return wire.Errorf(wire.CodeThrottling, "Rate exceeded")
	}
	return nil
}

// limit has every control operation of the API ask for its quota first.
func (q *callQuota) limit(api *awsapi.Service) *awsapi.Service {
	for name, op := range api.Operations {
		if name == "PutRecord" || name == "PutRecordBatch" {
			continue
		}
		api.Operations[name] = func(ctx context.Context, c *awsapi.Call) (any, error) {
			if err := q.admit(c.Caller, name); err != nil {
				return nil, err
			}
			return op(ctx, c)
		}
	}
	return api
}

// SetControlQuota lets each control operation (all but the puts) be called so many
// times a second by an account in a region, from now on: further calls get
// ThrottlingException. 0 is no limit, or with Config.RegionQuota what AWS has. It holds
// for calls that come by a Handler.
func (b *Backend) SetControlQuota(calls int) error {
	if calls < 0 {
		return fmt.Errorf("the quota of control calls is %d, it must not be negative; 0 is no limit", calls)
	}
	if calls == 0 && b.cfg.RegionQuota {
		calls = awsControlCalls
	}
	b.calls.set(calls)
	return nil
}
