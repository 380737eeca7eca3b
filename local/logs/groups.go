package logs

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// CreateLogGroup, DeleteLogGroup, PutRetentionPolicy, DeleteRetentionPolicy,
// TagResource, UntagResource, ListTagsForResource, CreateLogStream, DeleteLogStream
//
// Kept: names, tags, class and retention; what is deleted is gone at once. Events past
// retention are not shown at once, where AWS takes up to 72 hours.
// Left out, and refused by name: KMS keys, the class DELIVERY, deletion protection;
// tags of anything but groups.

const (
	// maxStreams is how many groups and streams a store has at most, together. AWS's
	// limit is a million groups.
	maxStreams = 20_000
	maxTags    = 50
)

// retentions are the days that a group may keep events for.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

const (
	standard         = "STANDARD"
	infrequentAccess = "INFREQUENT_ACCESS"
)

// violation is the error of a value that breaks a constraint; nil is none.
func violation(value any, at, constraint string) error {
	text := "null"
	if value != nil {
		text = fmt.Sprintf("'%.600s'", fmt.Sprint(value))
	}
	return invalid("1 validation error detected: Value %s at '%s' failed to satisfy constraint: Member must %s", text, at, constraint)
}

const maxName = 512

var (
	groupRE  = regexp.MustCompile(`^[\.\-_/#A-Za-z0-9]+$`)
	streamRE = regexp.MustCompile(`^[^:*]*$`)
)

func checkGroup(name *string) error { return checkName(name, "logGroupName", groupRE) }

func checkStream(name *string) error { return checkName(name, "logStreamName", streamRE) }

func checkName(name *string, at string, form *regexp.Regexp) error {
	switch {
	case name == nil:
		return violation(nil, at, "not be null")
	case *name == "":
		return violation(*name, at, "have length greater than or equal to 1")
	case len(*name) > maxName:
		return violation(*name, at, fmt.Sprintf("have length less than or equal to %d", maxName))
	case !form.MatchString(*name):
		return violation(*name, at, "satisfy regular expression pattern: "+strings.Trim(form.String(), "^$"))
	}
	return nil
}

// groupOf is the group that a call names by logGroupName or by logGroupIdentifier,
// which is a name or an ARN.
func groupOf(c awsapi.Caller, name, identifier *string) (string, error) {
	switch {
	case name != nil && identifier != nil:
		return "", invalid("LogGroupName and LogGroupIdentifier cannot be specified together.")
	case name != nil:
		return *name, checkGroup(name)
	case identifier == nil:
		return "", invalid("Either LogGroupName or LogGroupIdentifier must be specified.")
	case strings.HasPrefix(*identifier, "arn:"):
		return groupOfARN(c, *identifier)
	}
	return *identifier, checkGroup(identifier)
}

func groupOfARN(c awsapi.Caller, arn string) (string, error) {
	name, ok := strings.CutPrefix(strings.TrimSuffix(arn, ":*"), arnOf(c, ""))
	if !ok || !groupRE.MatchString(name) {
		return "", errNoGroup
	}
	return name, nil
}

func arnOf(c awsapi.Caller, group string) string {
	return c.ARN("logs", "log-group:"+group)
}

// CreateGroup makes a group. Errors are those of CreateLogGroup, such as
// ResourceAlreadyExistsException.
func (s *Store) CreateGroup(c awsapi.Caller, in Group) error {
	switch {
	case checkGroup(&in.Name) != nil:
		return checkGroup(&in.Name)
	case strings.HasPrefix(in.Name, "aws/"):
		return invalid("Log groups starting with AWS/ are reserved for AWS.")
	case in.Retention != 0 && !slices.Contains(retentions, in.Retention):
		return badRetention(in.Retention)
	case len(in.Tags) > maxTags:
		return violation(fmt.Sprintf("[%d elements]", len(in.Tags)), "tags", fmt.Sprintf("have length less than or equal to %d", maxTags))
	}
	class := cmp.Or(in.Class, standard)
	if class != standard && class != infrequentAccess {
		return awsapi.NotImplemented("The local Firehose does not support the log group class %s.", class)
	}
	key := groupKey{c, in.Name}
	return s.change(func() (func(), error) {
		if s.groups[key] != nil {
			return nil, wire.Errorf(codeExists, "The specified log group already exists")
		}
		if err := s.roomLocked(); err != nil {
			return nil, err
		}
		s.groups[key] = &group{created: time.Now().UnixMilli(), retention: in.Retention, class: class, tags: maps.Clone(in.Tags), streams: map[string]*stream{}}
		return func() { delete(s.groups, key) }, nil
	})
}

func (s *Store) roomLocked() error {
	n := len(s.groups)
	for _, g := range s.groups {
		n += len(g.streams)
	}
	if n >= maxStreams {
		return wire.Errorf(codeLimit, "Resource limit exceeded: the local Firehose has at most %d log groups and streams.", maxStreams)
	}
	return nil
}

// changeGroup changes a group by f, which returns how that is undone.
func (s *Store) changeGroup(c awsapi.Caller, name string, f func(*group) (undo func(), err error)) error {
	return s.change(func() (func(), error) {
		g, err := s.groupLocked(c, name)
		if err != nil {
			return nil, err
		}
		return f(g)
	})
}

// DeleteGroup deletes a group with all its streams and events.
func (s *Store) DeleteGroup(c awsapi.Caller, name string) error {
	err := s.changeGroup(c, name, func(g *group) (func(), error) {
		delete(s.groups, groupKey{c, name})
		return func() { s.groups[groupKey{c, name}] = g }, nil
	})
	s.sweepAfter(err)
	return err
}

// sweepAfter frees what was deleted.
func (s *Store) sweepAfter(err error) {
	if err != nil {
		return
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	s.sweep()
}

// SetRetention sets for how many days a group keeps events; 0 is as long as there is
// room.
func (s *Store) SetRetention(c awsapi.Caller, name string, days int) error {
	if days != 0 && !slices.Contains(retentions, days) {
		return badRetention(days)
	}
	return s.changeGroup(c, name, func(g *group) (func(), error) {
		before := g.retention
		g.retention = days
		return func() { g.retention = before }, nil
	})
}

func badRetention(days int) error {
	set := strings.ReplaceAll(fmt.Sprint(retentions), " ", ", ")
	return violation(fmt.Sprint(days), "retentionInDays", "satisfy enum value set: "+set)
}

// SetTags replaces a group's tags, up to 50.
func (s *Store) SetTags(c awsapi.Caller, name string, tags map[string]string) error {
	return s.changeGroup(c, name, func(g *group) (func(), error) {
		if len(tags) > maxTags {
			return nil, errTooManyTags
		}
		before := g.tags
		g.tags = maps.Clone(tags)
		return func() { g.tags = before }, nil
	})
}

var errTooManyTags = wire.Errorf("TooManyTagsException", "A resource can have no more than %d tags.", maxTags)

// HasGroup tells whether there is a group of that name.
func (s *Store) HasGroup(c awsapi.Caller, name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.groups[groupKey{c, name}] != nil
}

// HasStream tells whether there is a stream of that name in the group.
func (s *Store) HasStream(c awsapi.Caller, groupName, name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	g := s.groups[groupKey{c, groupName}]
	return g != nil && g.streams[name] != nil
}

// CreateStream makes a stream in a group.
func (s *Store) CreateStream(c awsapi.Caller, groupName, name string) error {
	if err := checkStream(&name); err != nil {
		return err
	}
	return s.changeGroup(c, groupName, func(g *group) (func(), error) {
		if g.streams[name] != nil {
			return nil, wire.Errorf(codeExists, "The specified log stream already exists")
		}
		if err := s.roomLocked(); err != nil {
			return nil, err
		}
		s.lastID++
		g.streams[name] = &stream{id: s.lastID, created: time.Now().UnixMilli()}
		return func() { delete(g.streams, name) }, nil
	})
}

// DeleteStream deletes a stream with its events.
func (s *Store) DeleteStream(c awsapi.Caller, groupName, name string) error {
	err := s.changeGroup(c, groupName, func(g *group) (func(), error) {
		st := g.streams[name]
		if st == nil {
			return nil, errNoStream
		}
		delete(g.streams, name)
		return func() { g.streams[name] = st }, nil
	})
	s.sweepAfter(err)
	return err
}

type createLogGroupInput struct {
	LogGroupName, KMSKeyID, LogGroupClass *string
	Tags                                  map[string]string
	DeletionProtectionEnabled             bool
}

func (s *Store) createLogGroup(c awsapi.Caller, in *createLogGroupInput) (any, error) {
	switch {
	case checkGroup(in.LogGroupName) != nil:
		return nil, checkGroup(in.LogGroupName)
	case in.KMSKeyID != nil:
		return nil, awsapi.NotImplemented("The local Firehose does not support the kmsKeyId of a log group.")
	case in.DeletionProtectionEnabled:
		return nil, awsapi.NotImplemented("The local Firehose does not support deletionProtectionEnabled.")
	}
	return nil, s.CreateGroup(c, Group{Name: *in.LogGroupName, Class: deref(in.LogGroupClass), Tags: in.Tags})
}

type groupInput struct {
	LogGroupName    *string
	RetentionInDays *int
}

func (s *Store) deleteLogGroup(c awsapi.Caller, in *groupInput) (any, error) {
	if err := checkGroup(in.LogGroupName); err != nil {
		return nil, err
	}
	return nil, s.DeleteGroup(c, *in.LogGroupName)
}

func (s *Store) putRetentionPolicy(c awsapi.Caller, in *groupInput) (any, error) {
	switch {
	case checkGroup(in.LogGroupName) != nil:
		return nil, checkGroup(in.LogGroupName)
	case in.RetentionInDays == nil:
		return nil, violation(nil, "retentionInDays", "not be null")
	case *in.RetentionInDays == 0:
		return nil, badRetention(0)
	}
	return nil, s.SetRetention(c, *in.LogGroupName, *in.RetentionInDays)
}

func (s *Store) deleteRetentionPolicy(c awsapi.Caller, in *groupInput) (any, error) {
	if err := checkGroup(in.LogGroupName); err != nil {
		return nil, err
	}
	return nil, s.SetRetention(c, *in.LogGroupName, 0)
}

type streamInput struct{ LogGroupName, LogStreamName *string }

func (in *streamInput) check() error {
	if err := checkGroup(in.LogGroupName); err != nil {
		return err
	}
	return checkStream(in.LogStreamName)
}

func (s *Store) createLogStream(c awsapi.Caller, in *streamInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return nil, s.CreateStream(c, *in.LogGroupName, *in.LogStreamName)
}

func (s *Store) deleteLogStream(c awsapi.Caller, in *streamInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return nil, s.DeleteStream(c, *in.LogGroupName, *in.LogStreamName)
}

type tagInput struct {
	ResourceARN string `json:"resourceArn"`
	Tags        map[string]string
	TagKeys     []string
}

type tagOutput struct {
	Tags map[string]string `json:"tags"`
}

func (s *Store) listTagsForResource(c awsapi.Caller, in *tagInput) (any, error) {
	name, err := groupOfARN(c, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	g, err := s.groupLocked(c, name)
	if err != nil {
		return nil, err
	}
	out := tagOutput{map[string]string{}}
	maps.Copy(out.Tags, g.tags)
	return out, nil
}

func (s *Store) tagResource(c awsapi.Caller, in *tagInput) (any, error) {
	return nil, s.retag(c, in, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (s *Store) untagResource(c awsapi.Caller, in *tagInput) (any, error) {
	return nil, s.retag(c, in, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

func (s *Store) retag(c awsapi.Caller, in *tagInput, f func(map[string]string)) error {
	name, err := groupOfARN(c, in.ResourceARN)
	if err != nil {
		return err
	}
	return s.changeGroup(c, name, func(g *group) (func(), error) {
		before, tags := g.tags, map[string]string{}
		maps.Copy(tags, before)
		if f(tags); len(tags) > maxTags {
			return nil, errTooManyTags
		}
		g.tags = tags
		return func() { g.tags = before }, nil
	})
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
