package deliver

import (
	"cmp"
	"time"

	"github.com/google/uuid"
)

// Key names a new object whose oldest record arrived at v.Time:
//
//	<prefix><stream>-<version>-<yyyy-MM-dd-HH-mm-ss>-<uuid><extension>
//
// Each call gives another key. An error is one of the prefix: v lacks a partition
// key.
func (s *Spec) Key(v Values) (string, error) {
	v.Zone = s.Zone
	prefix, err := s.prefix(v)
	if err != nil {
		return "", err
	}
	zone := cmp.Or(s.Zone, time.UTC)
	return prefix + s.Stream + "-" + s.Version + "-" + v.Time.In(zone).Format("2006-01-02-15-04-05") + "-" + uuid.NewString() +
		cmp.Or(s.Extension, formats[s.Compression].extension), nil
}

// prefix is the evaluated prefix. To a prefix of errors that has no expression the
// type and the time are added, as the developer guide's examples have it, but for
// the slashes and the day of the year that they show; to one with expressions AWS
// was seen to add nothing.
func (s *Spec) prefix(v Values) (string, error) {
	switch {
	case s.Errors && s.Prefix.HasExpressions() && s.Prefix.HasErrorType(), s.Partitioned:
		return s.Prefix.Eval(v)
	case s.Errors:
		prefix, err := s.Prefix.Eval(v)
		return prefix + v.ErrorType + "/" + v.Time.In(cmp.Or(v.Zone, time.UTC)).Format("2006/01/02/15/"), err
	}
	return s.Prefix.EvalWithTime(v)
}
