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

// prefix is the evaluated prefix.
func (s *Spec) prefix(v Values) (string, error) {
	if s.Errors || s.Partitioned {
		return s.Prefix.Eval(v)
	}
	return s.Prefix.EvalWithTime(v)
}
