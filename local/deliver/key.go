package deliver

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"time"
)

// Key names a new object whose oldest record arrived at arrival:
//
//	<prefix><yyyy/MM/dd/HH/><stream>-<version>-<yyyy-MM-dd-HH-mm-ss>-<uuid><extension>
//
// The time follows the prefix as it is, with no slash put between them: AWS was
// seen to turn the prefix legacy into legacy2026/07/13/14/. Each call gives
// another key.
func (s *Spec) Key(arrival time.Time) string {
	if s.Zone == nil {
		arrival = arrival.UTC()
	} else {
		arrival = arrival.In(s.Zone)
	}
	return s.Prefix + arrival.Format("2006/01/02/15/") +
		s.Stream + "-" + s.Version + "-" + arrival.Format("2006-01-02-15-04-05") + "-" + newUUID() +
		cmp.Or(s.Extension, formats[s.Compression].extension)
}

// newUUID returns a random UUID (version 4), the kind that AWS ends keys with.
func newUUID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
