package logs

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// DescribeLogGroups, DescribeLogStreams
//
// Kept: pages of up to 50; groups by prefix, by a part of the name, by identifiers and
// by class; streams by prefix, in order of name or of the last event, up or down.
// storedBytes of a group counts a message and 26 bytes; that of a stream is 0, as
// with AWS since 2019. Times of events are exact at once.
// Left out, and refused by name: other accounts (includeLinkedAccounts).

const maxDescribed = 50

type describeLogGroupsInput struct {
	LogGroupNamePrefix, LogGroupNamePattern, LogGroupClass, NextToken *string
	LogGroupIdentifiers                                               []string
	IncludeLinkedAccounts                                             bool
	Limit                                                             *int
}

type describeLogGroupsOutput struct {
	LogGroups []describedGroup `json:"logGroups"`
	NextToken string           `json:"nextToken,omitempty"`
}

type describedGroup struct {
	LogGroupName      string `json:"logGroupName"`
	CreationTime      int64  `json:"creationTime"`
	RetentionInDays   int    `json:"retentionInDays,omitempty"`
	MetricFilterCount int    `json:"metricFilterCount"`
	ARN               string `json:"arn"` // with :* at the end, where LogGroupARN has none
	StoredBytes       int64  `json:"storedBytes"`
	LogGroupClass     string `json:"logGroupClass"`
	LogGroupARN       string `json:"logGroupArn"`
}

func (s *Store) describeLogGroups(c awsapi.Caller, in *describeLogGroupsInput) (any, error) {
	limit, err := in.check()
	if err != nil {
		return nil, err
	}
	var last string
	if err := readToken(in.NextToken, &last); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var names []string
	for key, g := range s.groups {
		if key.Caller == c && (in.NextToken == nil || key.name > last) && in.match(c, key.name, g) {
			names = append(names, key.name)
		}
	}
	slices.Sort(names)
	out := describeLogGroupsOutput{LogGroups: []describedGroup{}}
	if len(names) > limit {
		names = names[:limit]
		out.NextToken = awsapi.Token(names[limit-1])
	}
	now := time.Now().UnixMilli()
	for _, name := range names {
		g := s.groups[groupKey{c, name}]
		arn := arnOf(c, name)
		out.LogGroups = append(out.LogGroups, describedGroup{
			LogGroupName: name, CreationTime: g.created, RetentionInDays: g.retention, LogGroupClass: g.class,
			ARN: arn + ":*", LogGroupARN: arn, StoredBytes: g.bytes(now),
		})
	}
	return out, nil
}

func (in *describeLogGroupsInput) check() (limit int, err error) {
	switch {
	case in.IncludeLinkedAccounts:
		return 0, awsapi.NotImplemented("The local Firehose does not support includeLinkedAccounts: it has no linked accounts.")
	case in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil:
		return 0, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	case in.LogGroupIdentifiers != nil && (in.LogGroupNamePrefix != nil || in.LogGroupNamePattern != nil || in.LogGroupClass != nil):
		return 0, invalid("LogGroupIdentifiers cannot be specified together with other filters.")
	}
	return checkLimit(in.Limit, maxDescribed)
}

func (in *describeLogGroupsInput) match(c awsapi.Caller, name string, g *group) bool {
	if in.LogGroupIdentifiers != nil && !slices.ContainsFunc(in.LogGroupIdentifiers, func(id string) bool {
		return id == name || strings.TrimSuffix(id, ":*") == arnOf(c, name)
	}) {
		return false
	}
	return strings.HasPrefix(name, deref(in.LogGroupNamePrefix)) && strings.Contains(name, deref(in.LogGroupNamePattern)) &&
		(in.LogGroupClass == nil || *in.LogGroupClass == g.class)
}

// bytes is how much a group holds.
func (g *group) bytes(now int64) (n int64) {
	for _, st := range g.streams {
		for _, e := range between(st.events, g.expired(now), orLast(nil)) {
			n += int64(len(e.message)) + eventOverhead
		}
	}
	return n
}

const (
	byName      = "LogStreamName"
	byLastEvent = "LastEventTime"
)

type describeLogStreamsInput struct {
	LogGroupName, LogGroupIdentifier, LogStreamNamePrefix, OrderBy, NextToken *string
	Descending                                                                bool
	Limit                                                                     *int
}

type describeLogStreamsOutput struct {
	LogStreams []describedStream `json:"logStreams"`
	NextToken  string            `json:"nextToken,omitempty"`
}

type describedStream struct {
	LogStreamName       string `json:"logStreamName"`
	CreationTime        int64  `json:"creationTime"`
	FirstEventTimestamp int64  `json:"firstEventTimestamp,omitempty"`
	LastEventTimestamp  int64  `json:"lastEventTimestamp,omitempty"`
	LastIngestionTime   int64  `json:"lastIngestionTime,omitempty"`
	UploadSequenceToken string `json:"uploadSequenceToken"`
	ARN                 string `json:"arn"`
	StoredBytes         int64  `json:"storedBytes"`
}

// streamPlace is a stream's place in the order that a listing has.
type streamPlace struct {
	Last int64 // of its events; 0 in order of names
	Name string
}

func (a streamPlace) compare(b streamPlace) int {
	return cmp.Or(cmp.Compare(a.Last, b.Last), strings.Compare(a.Name, b.Name))
}

func (s *Store) describeLogStreams(c awsapi.Caller, in *describeLogStreamsInput) (any, error) {
	groupName, err := groupOf(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	limit, err := in.check()
	if err != nil {
		return nil, err
	}
	var last streamPlace
	if err := readToken(in.NextToken, &last); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	g, err := s.groupLocked(c, groupName)
	if err != nil {
		return nil, err
	}
	expired := g.expired(time.Now().UnixMilli())
	found := map[streamPlace]describedStream{}
	for name, st := range g.streams {
		d := st.describe(expired)
		p := streamPlace{Name: name}
		if deref(in.OrderBy) == byLastEvent {
			p.Last = d.LastEventTimestamp
		}
		if strings.HasPrefix(name, deref(in.LogStreamNamePrefix)) && (in.NextToken == nil || in.order(p, last) > 0) {
			d.LogStreamName, d.UploadSequenceToken = name, sequenceToken(s.seq)
			d.ARN = arnOf(c, groupName) + ":log-stream:" + name
			found[p] = d
		}
	}
	places := slices.SortedFunc(maps.Keys(found), in.order)
	out := describeLogStreamsOutput{LogStreams: []describedStream{}}
	if len(places) > limit {
		places = places[:limit]
		out.NextToken = awsapi.Token(places[limit-1])
	}
	for _, p := range places {
		out.LogStreams = append(out.LogStreams, found[p])
	}
	return out, nil
}

func (in *describeLogStreamsInput) check() (limit int, err error) {
	switch order := deref(in.OrderBy); {
	case in.OrderBy != nil && order != byName && order != byLastEvent:
		return 0, violation(order, "orderBy", "satisfy enum value set: ["+byName+", "+byLastEvent+"]")
	case order == byLastEvent && in.LogStreamNamePrefix != nil:
		return 0, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	return checkLimit(in.Limit, maxDescribed)
}

func (in *describeLogStreamsInput) order(a, b streamPlace) int {
	if in.Descending {
		return b.compare(a)
	}
	return a.compare(b)
}

func (st *stream) describe(expired int64) describedStream {
	d := describedStream{CreationTime: st.created, LastIngestionTime: st.ingested}
	if events := between(st.events, expired, orLast(nil)); len(events) > 0 {
		d.FirstEventTimestamp, d.LastEventTimestamp = events[0].time, events[len(events)-1].time
	}
	return d
}

func readToken(token *string, last any) error {
	if token != nil && awsapi.ReadToken(*token, last) != nil {
		return invalid("The specified nextToken is invalid.")
	}
	return nil
}
