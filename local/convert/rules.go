package convert

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// rules is what a deserializer does.
type rules struct {
	hive     bool              // the strict one
	fold     bool              // names of members are compared in lower case
	lower    bool              // names that are data, such as a map's keys, are made lower case
	dots     bool              // a dot in a member's name is an underscore of the column's
	mappings map[string]string // names of members by column
	formats  []timeFormat      // nil is millis
}

func newRules(d Deserializer) (rules, error) {
	switch {
	case d.HiveJsonSerDe != nil && d.OpenXJsonSerDe != nil:
		return rules{}, errors.New("there are two deserializers; choose one of OpenXJsonSerDe and HiveJsonSerDe")
	case d.HiveJsonSerDe != nil:
		return hiveRules(d.HiveJsonSerDe)
	}
	var openX OpenXJsonSerDe
	if d.OpenXJsonSerDe != nil {
		openX = *d.OpenXJsonSerDe
	}
	fold := openX.CaseInsensitive == nil || *openX.CaseInsensitive
	r := rules{fold: fold, lower: fold, dots: openX.ConvertDotsInJsonKeysToUnderscores, mappings: map[string]string{}}
	for column, key := range openX.ColumnToJsonKeyMappings {
		r.mappings[strings.ToLower(column)] = key
	}
	return r, nil
}

// hiveRules: AWS was seen to find names in any case and to leave a map's keys alone.
func hiveRules(h *HiveJsonSerDe) (rules, error) {
	r := rules{hive: true, fold: true}
	var errs []error
	for _, pattern := range h.TimestampFormats {
		var format timeFormat
		if pattern != millis {
			var err error
			if format, err = parseTimeFormat(pattern); err != nil {
				errs = append(errs, fmt.Errorf("TimestampFormats %q: %w", pattern, err))
			} else if len(format) == 0 {
				errs = append(errs, errors.New("TimestampFormats has an empty pattern"))
			}
		}
		r.formats = append(r.formats, format)
	}
	return r, errors.Join(errs...)
}

// link gives each struct the names that its members are read from. The SerDe maps
// names at every depth (JsonStructObjectInspector.getJsonField).
func (r *rules) link(t *hiveType) {
	switch t.kind {
	case kindArray, kindMap:
		r.link(t.elem)
	case kindStruct:
		t.members, t.dotted = map[string]int{}, map[string]int{}
		for i, f := range t.fields {
			key := f.name
			if mapped, ok := r.mappings[f.name]; ok {
				key = mapped
			}
			if r.fold {
				key = strings.ToLower(key)
			}
			t.members[key], t.dotted[f.name] = i, i
			r.link(f.hiveType)
		}
	}
}

// find pushes the nodes of t's members, which are in the i-th node, on s.found; 0 is a
// member that is missing. Of two members with one name the last counts, as in a
// Java map; before one with dots goes the one that has the very name.
func (s *shredder) find(t *hiveType, i int) []int {
	from := len(s.found)
	s.found = append(s.found, make([]int, len(t.fields))...)
	found := s.found[from:]
	for j := i + 1; j < s.doc.nodes[i].end; j = s.doc.nodes[j].end {
		key := s.doc.nodes[j].key
		if s.fold {
			key = toLower(key)
		}
		if k, ok := t.members[string(key)]; ok {
			found[k] = j
		} else if s.dots && bytes.IndexByte(key, '.') >= 0 {
			if k, ok := t.dotted[string(bytes.ReplaceAll(key, []byte("."), []byte("_")))]; ok && found[k] == 0 {
				found[k] = j
			}
		}
	}
	return found
}

// release takes the n members of the last find away.
func (s *shredder) release(n int) { s.found = s.found[:len(s.found)-n] }

// key is a name that is data.
func (r *rules) key(name []byte) []byte {
	if r.lower { // AWS was seen to do so, as the SerDe lowers names when it parses
		return toLower(name)
	}
	return name
}

func toLower(name []byte) []byte {
	for _, c := range name {
		if c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf {
			return bytes.ToLower(name)
		}
	}
	return name
}

// isNull tells of strings that are nulls: a blank one for a struct or a map, an empty
// one for an array (JsonObjectInspectorUtils.checkObject, JsonListObjectInspector).
func (r *rules) isNull(t *hiveType, n *node) bool {
	if r.hive || n.kind != jsonString {
		return false
	}
	switch t.kind {
	case kindStruct, kindMap:
		return len(bytes.TrimSpace(n.text)) == 0
	case kindArray:
		return len(n.text) == 0
	}
	return false
}
