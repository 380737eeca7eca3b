package wire

import (
	"fmt"
	"strings"
)

// Violations collects broken constraints and words them as AWS does, all in one
// ValidationException. The zero value is ready for use.
type Violations struct {
	list []string // up to maxViolations
	n    int
}

// maxViolations is how many a message spells out, which has no end otherwise: a call
// may break one with every three of its bytes. Whether AWS has a bound is not known.
const maxViolations = 1000

// Add notes that value, found at path (lower camel case, list members counted
// from 1: records.3.member.data), breaks a constraint, such as "have length less
// than or equal to 500". Format value as AWS prints it, in quotes or null; an
// empty one is left out of the message, which is for what is secret.
func (v *Violations) Add(value, path, constraint string) { v.add(value, path, "Member", constraint) }

// AddMap is Add for a map, whose keys or value (part) break the constraint.
func (v *Violations) AddMap(value, path, part, constraint string) {
	v.add(value, path, "Map "+part, constraint)
}

func (v *Violations) add(value, path, what, constraint string) {
	v.n++
	if len(v.list) == maxViolations {
		return
	}
	if value != "" {
		value += " "
	}
	v.list = append(v.list, fmt.Sprintf("Value %sat '%s' failed to satisfy constraint: %s must %s", value, path, what, constraint))
}

// Required notes a member that is not there.
func (v *Violations) Required(path string) { v.Add("null", path, "not be null") }

// Err is nil, or the ValidationException that names every broken constraint.
func (v *Violations) Err() error {
	if len(v.list) == 0 {
		return nil
	}
	s := "s"
	if v.n == 1 {
		s = ""
	}
	return Errorf(CodeValidation, "%d validation error%s detected: %s", v.n, s, strings.Join(v.list, "; "))
}

// Name checks the name of a delivery stream; nil is a missing one.
func (v *Violations) Name(name *string) {
	const path = "deliveryStreamName"
	if name == nil {
		v.Required(path)
		return
	}
	if len(*name) <= MaxNameBytes && matchesNamePattern(*name) {
		return
	}
	value := "'" + *name + "'"
	if len(*name) > MaxNameBytes {
		v.Add(value, path, fmt.Sprintf("have length less than or equal to %d", MaxNameBytes))
	}
	if *name == "" {
		v.Add(value, path, "have length greater than or equal to 1")
	}
	if !matchesNamePattern(*name) {
		v.Add(value, path, "satisfy regular expression pattern: "+NamePattern)
	}
}

// ValidatePut answers a PutRecord (single) or PutRecordBatch as AWS does: nil,
// or an [*Error]. The order is the service's: the count of records before their
// sizes, each size before their sum. A nil record is one without Data; an
// empty one is accepted.
func ValidatePut(req PutRequest, single bool) error {
	var v Violations
	v.Name(req.Stream)
	switch {
	case single && req.Records == nil:
		v.Required("record")
	case req.Records == nil:
		v.Required("records")
	case len(req.Records) == 0:
		v.Add("'[]'", "records", "have length greater than or equal to 1")
	case len(req.Records) > MaxBatchRecords:
		// AWS prints the list's Java form here, which no source shows in full.
		v.Add(fmt.Sprintf("'[%d records]'", len(req.Records)), "records",
			fmt.Sprintf("have length less than or equal to %d", MaxBatchRecords))
		return v.Err()
	}
	total := 0
	for i, data := range req.Records {
		total += len(data)
		if data != nil && len(data) <= MaxRecordBytes {
			continue
		}
		path := "record.data"
		if !single {
			path = fmt.Sprintf("records.%d.member.data", i+1)
		}
		if data == nil {
			v.Required(path)
			continue
		}
		// The value's form is the one in osquery issue 3568.
		v.Add(fmt.Sprintf("'java.nio.HeapByteBuffer[pos=0 lim=%d cap=%[1]d]'", len(data)), path,
			fmt.Sprintf("have length less than or equal to %d", MaxRecordBytes))
	}
	if err := v.Err(); err != nil {
		return err
	}
	if total > MaxBatchBytes {
		return Errorf(CodeInvalidArgument, "Records size exceeds 4 MB limit")
	}
	return nil
}
