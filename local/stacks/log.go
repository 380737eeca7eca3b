package stacks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hydrant-go/hydrant/local/logs"
	"github.com/hydrant-go/hydrant/local/stacks/template"
	"github.com/hydrant-go/hydrant/wire"
)

// AWS::Logs::LogGroup, AWS::Logs::LogStream
//
// Kept: both are made in the local CloudWatch Logs, with class, retention and tags, those
// of the stack among them.
// Left out, and refused by name: what the local CloudWatch Logs has not. The tags
// aws:cloudformation:… are not there.

var logGroupKind = &kind{
	named: "LogGroupName", longest: 512, tagged: true, createOnly: strings.Fields("LogGroupName"),
	properties: strings.Fields("LogGroupClass LogGroupName RetentionInDays Tags"),
	attributes: map[string]func(*request) string{
		"Arn": func(q *request) string { return q.ARN("logs", "log-group:"+q.r.Physical+":*") },
	},
	isThere: func(_ context.Context, s *Store, q *request) (bool, error) {
		return s.cfg.Logs.HasGroup(q.Caller, q.r.Physical), nil
	},
	make: func(_ context.Context, s *Store, q *request) error {
		g, err := logGroup(q)
		if err != nil {
			return err
		}
		return refused("CloudWatchLogs", s.cfg.Logs.CreateGroup(q.Caller, g))
	},
	change: func(_ context.Context, s *Store, q *request) error {
		g, err := logGroup(q)
		if err != nil {
			return err
		}
		if len(q.was) == 1 && !template.Equal(q.was[0].properties()["LogGroupClass"], q.r.properties()["LogGroupClass"]) {
			return reason("The class of a log group can't be changed.")
		}
		if err := s.cfg.Logs.SetRetention(q.Caller, g.Name, g.Retention); err != nil {
			return refused("CloudWatchLogs", err)
		}
		return refused("CloudWatchLogs", s.cfg.Logs.SetTags(q.Caller, g.Name, g.Tags))
	},
	unmake: func(_ context.Context, s *Store, q *request) error {
		return unlessGone(s.cfg.Logs.DeleteGroup(q.Caller, q.r.Physical))
	},
}

func logGroup(q *request) (logs.Group, error) {
	g := logs.Group{Name: q.r.Physical, Class: q.text("LogGroupClass"), Tags: map[string]string{}}
	if days := q.text("RetentionInDays"); days != "" {
		n, err := strconv.Atoi(days)
		if err != nil {
			return g, reason(fmt.Sprintf("Properties validation failed for resource %s with message: [#/RetentionInDays: expected type: Number, found: String]", q.r.ID))
		}
		g.Retention = n
	}
	for _, t := range q.r.tags() {
		g.Tags[t.Key] = t.Value
	}
	return g, nil
}

// tags are a resource's own and those of the stack, by key. Its own count.
func (v version) tags() (list []tag) {
	all := map[string]string{}
	for _, t := range v.Tags {
		all[t.Key] = t.Value
	}
	own, _ := v.properties()["Tags"].([]any)
	for _, t := range own {
		t, _ := t.(map[string]any)
		key, _ := template.Text(t["Key"])
		all[key], _ = template.Text(t["Value"])
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, tag{key, all[key]})
	}
	return list
}

// unlessGone is err, but for that what was to be removed is not there.
func unlessGone(err error) error {
	if isCode(err, wire.CodeResourceNotFound) {
		return nil
	}
	return refused("CloudWatchLogs", err)
}

var logStreamKind = &kind{
	named: "LogStreamName", longest: 512, createOnly: strings.Fields("LogGroupName LogStreamName"),
	properties: strings.Fields("LogGroupName LogStreamName"), required: strings.Fields("LogGroupName"),
	isThere: func(_ context.Context, s *Store, q *request) (bool, error) {
		return s.cfg.Logs.HasStream(q.Caller, q.text("LogGroupName"), q.r.Physical), nil
	},
	make: func(_ context.Context, s *Store, q *request) error {
		return refused("CloudWatchLogs", s.cfg.Logs.CreateStream(q.Caller, q.text("LogGroupName"), q.r.Physical))
	},
	unmake: func(_ context.Context, s *Store, q *request) error {
		return unlessGone(s.cfg.Logs.DeleteStream(q.Caller, q.text("LogGroupName"), q.r.Physical))
	},
}
