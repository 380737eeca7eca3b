package cloudwatch

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// GetMetricData
//
// Kept: at most 500 queries and 100,800 datapoints a page, fewer by MaxDatapoints,
// and paging by NextToken; ScanBy, the newest first by default; Id, Label and
// ReturnData; StatusCode PartialData where more of a result follows. The samples of
// all units are added up where Unit is not given.
// Left out, and refused by name: expressions (metric math and Metrics Insights),
// percentiles, dynamic labels, other accounts.
// How AWS shares a page among the queries is not known: here the first query's
// datapoints come first, then the second's. A metric without a Label is called by
// its name; AWS makes names longer where several would be alike.

const (
	maxQueries    = 500
	maxPagePoints = 100_800
)

type getMetricDataInput struct {
	MetricDataQueries  []metricDataQuery
	StartTime, EndTime *awsapi.Timestamp
	NextToken, ScanBy  string
	MaxDatapoints      *int32
}

type metricDataQuery struct {
	ID                *string `json:"Id"`
	MetricStat        *metricStat
	Expression, Label *string
	AccountID         *string `json:"AccountId"`
	ReturnData        *bool
	Period            *int32
}

type metricStat struct {
	Metric struct {
		Namespace, MetricName *string
		Dimensions            []dimension
	}
	Period     *int32 // seconds
	Stat, Unit string
}

type getMetricDataOutput struct {
	MetricDataResults []metricDataResult
	NextToken         string     `json:",omitempty"`
	Messages          []struct{} // AWS's remarks; there are none here
}

type metricDataResult struct {
	ID         string `json:"Id"`
	Label      string
	Timestamps []awsapi.Timestamp
	Values     []float64
	StatusCode string
}

// pageToken says where a page begins: at a query, and there at a time in the order
// of the scan.
type pageToken struct {
	query int
	from  int64 // seconds since 1970
}

func (s *Store) getMetricData(c *awsapi.Call, in *getMetricDataInput) (any, error) {
	queries, err := in.queries(c.Caller)
	if err != nil {
		return nil, err
	}
	at, err := in.token()
	if err != nil {
		return nil, err
	}
	left := maxPagePoints
	if in.MaxDatapoints != nil {
		left = int(*in.MaxDatapoints)
	}
	out := getMetricDataOutput{MetricDataResults: []metricDataResult{}, Messages: []struct{}{}}
	for i, q := range in.MetricDataQueries {
		if q.ReturnData != nil && !*q.ReturnData {
			continue
		}
		r := metricDataResult{ID: *q.ID, Label: q.label(), Timestamps: []awsapi.Timestamp{}, Values: []float64{}, StatusCode: "Complete"}
		points := s.scan(queries[i], in.ScanBy, i, at)
		n := min(left, len(points))
		r.add(points[:n], statistics[q.MetricStat.Stat])
		left -= n
		if n < len(points) {
			r.StatusCode = "PartialData"
			if out.NextToken == "" {
				out.NextToken = pageToken{i, points[n].Timestamp.Unix()}.String()
			}
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	return out, nil
}

func (q *metricDataQuery) label() string {
	if q.Label != nil {
		return *q.Label
	}
	return *q.MetricStat.Metric.MetricName
}

func (r *metricDataResult) add(points []Datapoint, value func(Datapoint) float64) {
	for _, p := range points {
		r.Timestamps = append(r.Timestamps, awsapi.Timestamp(p.Timestamp))
		r.Values = append(r.Values, value(p))
	}
}

// scan returns the datapoints of the i-th query from the page's beginning on.
func (s *Store) scan(q Query, by string, i int, at pageToken) []Datapoint {
	if i < at.query {
		return nil
	}
	var points []Datapoint
	for _, p := range s.Statistics(q) { // those of several units come side by side
		if n := len(points); n > 0 && points[n-1].Timestamp.Equal(p.Timestamp) {
			points[n-1].merge(set{0, p.SampleCount, p.Sum, p.Minimum, p.Maximum})
		} else {
			points = append(points, p)
		}
	}
	before := func(d Datapoint) bool { return d.Timestamp.Unix() < at.from }
	if by != scanAscending {
		slices.Reverse(points)
		before = func(d Datapoint) bool { return d.Timestamp.Unix() > at.from }
	}
	for i == at.query && at != (pageToken{}) && len(points) > 0 && before(points[0]) {
		points = points[1:]
	}
	return points
}

const (
	scanAscending  = "TimestampAscending"
	scanDescending = "TimestampDescending"
)

func (t pageToken) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d", t.query, t.from))
}

// token is where the page begins; the zero pageToken is the beginning of all.
func (in *getMetricDataInput) token() (t pageToken, err error) {
	if in.NextToken == "" {
		return t, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(in.NextToken)
	if err == nil {
		_, err = fmt.Sscanf(string(text), "%d %d", &t.query, &t.from)
	}
	if err != nil || t.query < 0 || t.query >= len(in.MetricDataQueries) || t.String() != in.NextToken {
		return t, wire.Errorf(codeInvalidToken, "The NextToken is not one that this query was answered with.")
	}
	return t, nil
}

// queries makes the store's queries, or tells all that is wrong.
func (in *getMetricDataInput) queries(caller awsapi.Caller) ([]Query, error) {
	var problems []string
	note := func(err error) {
		if e, ok := err.(*wire.Error); ok {
			problems = append(problems, e.Message)
		}
	}
	note(checkTimes(in.StartTime, in.EndTime))
	if n := len(in.MetricDataQueries); n < 1 || n > maxQueries {
		note(wire.Errorf("", "The collection MetricDataQueries must hold 1 to %d queries, not %d.", maxQueries, n))
	}
	if in.ScanBy != "" && in.ScanBy != scanAscending && in.ScanBy != scanDescending {
		note(wire.Errorf("", "The value %s for parameter ScanBy is not one of %s and %s.", in.ScanBy, scanAscending, scanDescending))
	}
	if n := in.MaxDatapoints; n != nil && (*n < 1 || *n > maxPagePoints) {
		note(wire.Errorf("", "The parameter MaxDatapoints must be 1 to %d, not %d.", maxPagePoints, *n))
	}
	var queries []Query
	ids := map[string]bool{}
	for i, q := range in.MetricDataQueries {
		query, err := q.query(fmt.Sprintf("MetricDataQueries.member.%d", i+1), caller)
		note(err)
		if id := deref(q.ID); ids[id] {
			note(wire.Errorf("", "The values for parameter id in MetricDataQueries are not unique: %s.", id))
		} else {
			ids[id] = true
		}
		queries = append(queries, query)
	}
	if len(problems) > 0 {
		return nil, wire.Errorf(codeValidation, "%s", strings.Join(problems, "\n"))
	}
	for i := range queries {
		queries[i].Start, queries[i].End = time.Time(*in.StartTime), time.Time(*in.EndTime)
	}
	return queries, nil
}

const maxID = 255

var idRE = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`) // without a count, which takes long to compile

// query makes the store's query, without its times. name is the parameter's.
func (q *metricDataQuery) query(name string, caller awsapi.Caller) (query Query, err error) {
	m := q.MetricStat
	switch {
	case len(deref(q.ID)) > maxID || !idRE.MatchString(deref(q.ID)):
		err = wire.Errorf("", "The value %q for parameter %s.Id is invalid: it must be letters, digits and underscores, the first one a lower-case letter.", deref(q.ID), name)
	case q.Expression != nil:
		err = wire.Errorf("", "The local Firehose does not support %s.Expression: it has no metric math and no Metrics Insights.", name)
	case m == nil:
		err = wire.Errorf("", "The parameter %s.MetricStat is required.", name)
	case q.Period != nil:
		err = wire.Errorf("", "The parameter %s.Period belongs to expressions; that of a metric is %[1]s.MetricStat.Period.", name)
	case q.AccountID != nil && *q.AccountID != caller.Account:
		err = wire.Errorf("", "The local Firehose does not support %s.AccountId of another account.", name)
	case strings.Contains(deref(q.Label), "${"):
		err = wire.Errorf("", "The local Firehose does not support dynamic labels: %s.Label is %q.", name, *q.Label)
	case extendedRE.MatchString(m.Stat):
		err = wire.Errorf("", "The local Firehose does not support %s.MetricStat.Stat %s: it keeps no single samples.", name, m.Stat)
	case statistics[m.Stat] == nil:
		err = wire.Errorf("", "The value %s for parameter %s.MetricStat.Stat is not a valid statistic.", m.Stat, name)
	default:
		return m.query(name+".MetricStat", caller)
	}
	return query, err
}

func (m *metricStat) query(name string, caller awsapi.Caller) (q Query, err error) {
	for _, err := range []error{
		checkNamespace(m.Metric.Namespace), checkText(name+".Metric.MetricName", m.Metric.MetricName, 255),
		required(name+".Period", m.Period == nil), checkUnit(name+".Unit", m.Unit),
	} {
		if err != nil {
			return q, err
		}
	}
	if err := checkPeriod(name+".Period", *m.Period); err != nil {
		return q, err
	}
	q = Query{Key: Key{Caller: caller, Namespace: *m.Metric.Namespace, Name: *m.Metric.MetricName, Unit: m.Unit}, Period: seconds(*m.Period)}
	q.Dimensions, err = dimensions(name+".Metric.Dimensions", m.Metric.Dimensions)
	return q, err
}
