package cloudwatch

import (
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// ListMetrics
//
// Kept: 500 metrics a page; the filters Namespace, MetricName and Dimensions, of
// which one without a value stands for all; RecentlyActive; a metric without samples
// in the last two weeks is not listed.
// Left out, and refused by name: other accounts (IncludeLinkedAccounts,
// OwningAccount). A new metric is listed at once, which takes AWS up to 15 minutes.

const (
	maxListed  = 500
	maxFilters = 10
	listedFor  = 14 * day
	active     = "PT3H" // the only value of RecentlyActive
)

type listMetricsInput struct {
	Namespace, MetricName     *string
	Dimensions                []dimension
	NextToken, RecentlyActive string
	IncludeLinkedAccounts     bool
	OwningAccount             string
}

type listMetricsOutput struct {
	Metrics   []listedMetric
	NextToken string `json:",omitempty"`
}

type listedMetric struct {
	Namespace, MetricName string
	Dimensions            []Dimension
}

func (s *Store) listMetrics(c *awsapi.Call, in *listMetricsInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	after, err := base64.RawURLEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, wire.Errorf(codeInvalidValue, "The parameter NextToken is not one that this call was answered with.")
	}
	since := time.Now().Unix() - listedFor
	if in.RecentlyActive != "" {
		since = time.Now().Unix() - 3*60*60
	}
	found := map[string]*Series{} // one of a metric, by its id
	for id, r := range s.all() {
		if id.metric > string(after) && r.key.Caller == c.Caller && in.match(&r.key) && r.last() >= since {
			found[id.metric] = r
		}
	}
	ids := make([]string, 0, len(found))
	for id := range found {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	out := listMetricsOutput{Metrics: []listedMetric{}}
	if len(ids) > maxListed {
		ids = ids[:maxListed]
		out.NextToken = base64.RawURLEncoding.EncodeToString([]byte(ids[maxListed-1]))
	}
	for _, id := range ids {
		k := &found[id].key
		out.Metrics = append(out.Metrics, listedMetric{k.Namespace, k.Name, append([]Dimension{}, k.Dimensions...)})
	}
	return out, nil
}

func (in *listMetricsInput) check() error {
	switch {
	case in.IncludeLinkedAccounts || in.OwningAccount != "":
		return awsapi.NotImplemented("The local Firehose does not support IncludeLinkedAccounts and OwningAccount: it has no linked accounts.")
	case in.RecentlyActive != "" && in.RecentlyActive != active:
		return wire.Errorf(codeInvalidValue, "The value %s for parameter RecentlyActive is invalid: it can only be %s.", in.RecentlyActive, active)
	case len(in.Dimensions) > maxFilters:
		return wire.Errorf(codeInvalidValue, "The collection Dimensions must not have a size greater than %d.", maxFilters)
	}
	for i, d := range in.Dimensions {
		if err := checkText(fmt.Sprintf("Dimensions.member.%d.Name", i+1), d.Name, 255); err != nil {
			return err
		}
	}
	return nil
}

func (in *listMetricsInput) match(k *Key) bool {
	if in.Namespace != nil && *in.Namespace != k.Namespace || in.MetricName != nil && *in.MetricName != k.Name {
		return false
	}
	for _, f := range in.Dimensions {
		if !slices.ContainsFunc(k.Dimensions, func(d Dimension) bool { return d.Name == *f.Name && (f.Value == nil || d.Value == *f.Value) }) {
			return false
		}
	}
	return true
}
