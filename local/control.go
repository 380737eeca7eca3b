package local

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

// save keeps the settings of all streams, one of them replaced by set, or without
// it if set is nil. Its caller holds control.
func (b *Backend) save(key streamKey, set *settings) error {
	if b.cfg.State == "" {
		return nil
	}
	var list []*settings
	for _, s := range b.all() {
		if s.key != key {
			list = append(list, s.settings())
		}
	}
	if set != nil {
		list = append(list, set)
	}
	return saveSettings(b.cfg.State, list)
}

// change has edit make new settings of an ACTIVE stream out of a copy of the
// present ones, and keeps them. edit returns false if there is nothing to change.
func (b *Backend) change(c server.Caller, name string, edit func(s *stream, set *settings) (bool, error)) error {
	b.control.Lock()
	defer b.control.Unlock()
	s, err := b.lookup(c, name)
	if err != nil {
		return err
	}
	set := *s.settings()
	if status := s.status(&set); status != server.Active {
		// The code is AWS's, the words are ours.
		return wire.Errorf(wire.CodeResourceInUse, "Firehose %s under account %s is %s.", name, c.Account, status)
	}
	if changed, err := edit(s, &set); err != nil || !changed {
		return err
	}
	var p *plan
	if set.Version != s.settings().Version {
		if p, err = newPlan(s, &set); err != nil {
			return err
		}
		if err := p.admit(); err != nil {
			return err
		}
	}
	if err := b.save(s.key, &set); err != nil {
		return err
	}
	s.mu.Lock()
	s.set = &set
	s.mu.Unlock()
	if p != nil {
		s.flow.setPlan(p)
	}
	return nil
}

// CreateDeliveryStream makes a stream, which is ACTIVE after Config.StateDelay.
// Nothing is checked of the role, and the bucket needs no making.
func (b *Backend) CreateDeliveryStream(_ context.Context, c server.Caller, in *server.CreateDeliveryStreamInput) (*server.CreateDeliveryStreamOutput, error) {
	now := time.Now()
	set := &settings{
		Caller: c, Name: in.DeliveryStreamName, ID: strings.ToLower(rand.Text()), Version: 1, Created: now,
		Destination: in.Destination, Throughput: in.ThroughputHintInMBs, Tags: merged(nil, in.Tags),
	}
	if e := in.Encryption; e != nil {
		set.Encryption = encryption{On: true, KeyType: e.KeyType, KeyARN: e.KeyARN, Since: now}
	}
	b.control.Lock()
	defer b.control.Unlock()
	switch _, err := b.lookup(c, set.Name); {
	case err == nil:
		return nil, wire.Errorf(wire.CodeResourceInUse, "Firehose %s under accountId %s already exists", set.Name, c.Account)
	case err == errClosed:
		return nil, err
	}
	if err := b.checkCount(c); err != nil {
		return nil, err
	}
	s, err := newStream(b, set, false)
	if err != nil {
		return nil, err
	}
	if err := b.save(s.key, set); err != nil {
		return nil, err
	}
	b.enter(s)
	return &server.CreateDeliveryStreamOutput{DeliveryStreamARN: s.arn()}, nil
}

// checkCount keeps to AWS's quota of streams in a region.
func (b *Backend) checkCount(c server.Caller) error {
	n := 0
	for _, s := range b.all() {
		if s.key.Caller == c {
			n++
		}
	}
	if most := wire.MaxStreams(c.Region); n >= most {
		// The code is AWS's, the words are ours.
		return wire.Errorf(wire.CodeLimitExceeded, "Account %s has %d delivery streams in %s, the limit is %d.", c.Account, n, c.Region, most)
	}
	return nil
}

// DeleteDeliveryStream discards what a stream has buffered, as AWS does, and
// removes the stream after Config.StateDelay. Its metrics stay.
func (b *Backend) DeleteDeliveryStream(_ context.Context, c server.Caller, in *server.DeleteDeliveryStreamInput) error {
	b.control.Lock()
	defer b.control.Unlock()
	s, err := b.lookup(c, in.DeliveryStreamName)
	if err != nil {
		return err
	}
	set := *s.settings()
	switch s.status(&set) {
	case server.Creating:
		// The code is AWS's, the words are ours.
		return wire.Errorf(wire.CodeResourceInUse, "Firehose %s under account %s is being created and can't be deleted yet.", s.key.name, c.Account)
	case server.Deleting: // AWS was seen to take it again
		return nil
	}
	set.Deleted = time.Now()
	if b.cfg.StateDelay == 0 {
		return b.removeLocked(s)
	}
	if err := b.save(s.key, &set); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set = &set
	s.endLater(&set)
	return nil
}

// endLater removes a DELETING stream when its time has come. s.mu is held.
func (s *stream) endLater(set *settings) {
	b := s.backend
	left := b.scaled(b.cfg.StateDelay) - time.Since(set.Deleted)
	s.end = time.AfterFunc(max(0, left), func() {
		b.control.Lock()
		defer b.control.Unlock()
		if err := b.removeLocked(s); err != nil {
			s.log.Error("the delivery stream is not removed", "error", err)
		}
	})
}

// removeLocked takes a stream away for good. control is held.
func (b *Backend) removeLocked(s *stream) error {
	if there, err := b.lookup(s.key.Caller, s.key.name); err != nil || there != s {
		return nil // gone already, or it goes after the next start
	}
	if err := b.save(s.key, nil); err != nil {
		return err
	}
	b.mu.Lock()
	delete(b.streams, s.key)
	b.mu.Unlock()
	s.refuse(notFound(s.key.Caller, s.key.name))
	s.stop()
	if err := b.journal.Remove(s.queue); err != nil {
		s.log.Error("the journal of a deleted stream is left for the next start to remove", slog.Any("error", err))
	}
	return nil
}

// DescribeDeliveryStream describes a stream.
func (b *Backend) DescribeDeliveryStream(_ context.Context, c server.Caller, in *server.DescribeDeliveryStreamInput) (*server.DescribeDeliveryStreamOutput, error) {
	defer b.timeCall(c, "DescribeDeliveryStream", in.DeliveryStreamName)()
	s, err := b.lookup(c, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	set := s.settings()
	return &server.DescribeDeliveryStreamOutput{
		DeliveryStreamName:  s.key.name,
		DeliveryStreamARN:   s.arn(),
		Status:              s.status(set),
		VersionID:           strconv.Itoa(set.Version),
		Created:             set.Created,
		LastUpdate:          set.Updated,
		Encryption:          s.encryption(set),
		ThroughputHintInMBs: set.Throughput,
		Destination:         set.Destination,
	}, nil
}

// ListDeliveryStreams lists the caller's streams. All of them are of the type
// DirectPut.
func (b *Backend) ListDeliveryStreams(_ context.Context, c server.Caller, in *server.ListDeliveryStreamsInput) (*server.ListDeliveryStreamsOutput, error) {
	defer b.timeCall(c, "ListDeliveryStreams", "")()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	var names []string
	for key := range b.streams {
		if key.Caller == c && key.name > in.After && (in.Type == "" || in.Type == "DirectPut") {
			names = append(names, key.name)
		}
	}
	slices.Sort(names)
	n := min(in.Limit, len(names))
	return &server.ListDeliveryStreamsOutput{Names: names[:n], HasMore: n < len(names)}, nil
}

// destinationID is that of every stream's one destination, as AWS numbers it.
const destinationID = "destinationId-000000000001"

// UpdateDestination changes a stream's destination, and its version if that is
// another now. What is buffered is delivered as the new one says.
func (b *Backend) UpdateDestination(_ context.Context, c server.Caller, in *server.UpdateDestinationInput) error {
	defer b.timeCall(c, "UpdateDeliveryStream", in.DeliveryStreamName)()
	return b.change(c, in.DeliveryStreamName, func(_ *stream, set *settings) (bool, error) {
		if have := strconv.Itoa(set.Version); in.CurrentVersionID != have {
			return false, wire.Errorf(wire.CodeConcurrentModification, "Cannot update firehose: %s since the current version id: %s and specified version id: %s do not match", set.Name, have, in.CurrentVersionID)
		}
		if in.DestinationID != destinationID {
			return false, wire.Errorf(wire.CodeInvalidArgument, "Destination Id %s not found", in.DestinationID)
		}
		d, err := in.Apply(set.Destination)
		if err != nil || reflect.DeepEqual(d, set.Destination) {
			return false, err
		}
		set.Destination, set.Updated = d, time.Now()
		set.Version++
		return true, nil
	})
}

// maxTags is how many tags a stream may have (API reference).
const maxTags = 50

// merged is tags with more, whose values win; of two in more the last does.
func merged(tags, more []server.Tag) []server.Tag {
	all := map[string]string{}
	for _, t := range slices.Concat(tags, more) {
		all[t.Key] = t.Value
	}
	var list []server.Tag
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, server.Tag{Key: key, Value: all[key]})
	}
	return list
}

// TagDeliveryStream adds tags to a stream, up to 50.
func (b *Backend) TagDeliveryStream(_ context.Context, c server.Caller, in *server.TagInput) error {
	return b.change(c, in.DeliveryStreamName, func(_ *stream, set *settings) (bool, error) {
		set.Tags = merged(set.Tags, in.Tags)
		if n := len(set.Tags); n > maxTags {
			// The code is AWS's, the words are ours.
			return false, wire.Errorf(wire.CodeLimitExceeded, "Firehose %s under account %s would have %d tags, the limit is %d.", set.Name, c.Account, n, maxTags)
		}
		return true, nil
	})
}

// UntagDeliveryStream removes tags; those that are not there are no error.
func (b *Backend) UntagDeliveryStream(_ context.Context, c server.Caller, in *server.UntagInput) error {
	return b.change(c, in.DeliveryStreamName, func(_ *stream, set *settings) (bool, error) {
		set.Tags = slices.DeleteFunc(slices.Clone(set.Tags), func(t server.Tag) bool { return slices.Contains(in.Keys, t.Key) })
		return true, nil
	})
}

// ListTagsForDeliveryStream lists a stream's tags by key.
func (b *Backend) ListTagsForDeliveryStream(_ context.Context, c server.Caller, in *server.ListTagsInput) (*server.ListTagsOutput, error) {
	s, err := b.lookup(c, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	tags := s.settings().Tags
	tags = tags[slices.IndexFunc(append(slices.Clone(tags), server.Tag{Key: "\U0010ffff"}), func(t server.Tag) bool { return t.Key > in.After }):]
	n := min(in.Limit, len(tags))
	return &server.ListTagsOutput{Tags: tags[:n], HasMore: n < len(tags)}, nil
}

// maxSwitches is how often the encryption of a stream may be switched in 24 hours
// (API reference).
const maxSwitches = 25

// StartDeliveryStreamEncryption says that the stream's records are encrypted; it is
// only said.
func (b *Backend) StartDeliveryStreamEncryption(_ context.Context, c server.Caller, in *server.StartEncryptionInput) error {
	return b.encrypt(c, in.DeliveryStreamName, encryption{On: true, KeyType: in.Encryption.KeyType, KeyARN: in.Encryption.KeyARN})
}

// StopDeliveryStreamEncryption takes it back.
func (b *Backend) StopDeliveryStreamEncryption(_ context.Context, c server.Caller, in *server.StopEncryptionInput) error {
	return b.encrypt(c, in.DeliveryStreamName, encryption{})
}

func (b *Backend) encrypt(c server.Caller, name string, e encryption) error {
	return b.change(c, name, func(s *stream, set *settings) (bool, error) {
		now, old := time.Now(), set.Encryption
		if s.within(old.Since) {
			// The code is AWS's, the words are ours.
			return false, wire.Errorf(wire.CodeResourceInUse, "Firehose %s under account %s is %s its encryption.", name, c.Account, strings.ToLower(s.encryption(set).Status))
		}
		e.Switches = slices.DeleteFunc(slices.Clone(old.Switches), func(t time.Time) bool { return now.Sub(t) >= b.scaled(24*time.Hour) })
		if len(e.Switches) >= maxSwitches {
			return false, wire.Errorf(wire.CodeLimitExceeded, "The encryption of Firehose %s under account %s was switched %d times in 24 hours, which is the limit.", name, c.Account, maxSwitches)
		}
		e.Since, e.Switches = now, append(e.Switches, now)
		set.Encryption = e
		return true, nil
	})
}

// encryption is what is told of a stream's encryption.
func (s *stream) encryption(set *settings) server.Encryption {
	e := set.Encryption
	out := server.Encryption{Status: "DISABLED", KeyType: e.KeyType, KeyARN: e.KeyARN}
	switch recent := s.within(e.Since); {
	case e.On && recent:
		out.Status = "ENABLING"
	case e.On:
		out.Status = "ENABLED"
	case recent:
		out.Status = "DISABLING"
	}
	return out
}
