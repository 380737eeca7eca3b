package convert

import (
	"bytes"

	"github.com/parquet-go/parquet-go"
)

// shredder takes JSON documents apart into the values of Parquet's columns, and keeps
// them until flush.
type shredder struct {
	*rules
	doc     document
	columns [][]parquet.Value
	rows    int   // in columns
	marks   []int // the columns' lengths where rewind goes back to
	found   []int // what find found, for the structs that are being read
}

func (s *shredder) mark() {
	for i, column := range s.columns {
		s.marks[i] = len(column)
	}
}

func (s *shredder) rewind() {
	for i := range s.columns {
		s.columns[i] = s.columns[i][:s.marks[i]]
	}
}

// flush hands all rows to w, which copies them, so the memory they point at is free.
func (s *shredder) flush(w *parquet.GenericWriter[any]) error {
	if s.rows == 0 {
		return nil
	}
	for i, writer := range w.ColumnWriters() {
		if _, err := writer.WriteRowValues(s.columns[i]); err != nil {
			return err
		}
		s.columns[i] = s.columns[i][:0]
	}
	s.rows, s.doc.scratch = 0, s.doc.scratch[:0]
	return nil
}

// value writes the i-th node as a t. rep is the level at which it repeats, def the
// level of what is around it.
func (s *shredder) value(t *hiveType, i, rep, def int) error {
	n := &s.doc.nodes[i]
	if n.kind == jsonNull || s.isNull(t, n) {
		s.nulls(t, rep, def)
		return nil
	}
	switch t.kind {
	case kindStruct:
		return s.structure(t, i, rep)
	case kindArray:
		return s.array(t, i, rep)
	case kindMap:
		return s.entries(t, i, rep)
	}
	v, err := s.scalar(t, &s.doc, i)
	if err == nil {
		s.columns[t.column] = append(s.columns[t.column], v.Level(rep, t.def, t.column))
	}
	return err
}

func (s *shredder) nulls(t *hiveType, rep, def int) {
	for column := t.column; column < t.end; column++ {
		s.columns[column] = append(s.columns[column], parquet.NullValue().Level(rep, def, column))
	}
}

func (s *shredder) structure(t *hiveType, i, rep int) error {
	switch n := &s.doc.nodes[i]; {
	case n.kind == jsonObject:
		return s.object(t, i, rep)
	case s.hive:
		return mismatch("java.io.IOException: Start of Object expected")
	case n.kind != jsonArray:
		return mismatch("Data is not JSONObject  but %s with value %s", n.javaType(), n.plain())
	}
	member, end := i+1, s.doc.nodes[i].end
	for _, f := range t.fields {
		if member >= end {
			s.nulls(f.hiveType, rep, t.def)
			continue
		}
		if err := s.value(f.hiveType, member, rep, t.def); err != nil {
			return err
		}
		member = s.doc.nodes[member].end
	}
	return nil
}

func (s *shredder) object(t *hiveType, i, rep int) error {
	found := s.find(t, i)
	defer s.release(len(t.fields))
	for j, f := range t.fields {
		if found[j] == 0 {
			s.nulls(f.hiveType, rep, t.def)
		} else if err := s.value(f.hiveType, found[j], rep, t.def); err != nil {
			return err
		}
	}
	return nil
}

func (s *shredder) array(t *hiveType, i, rep int) error {
	n := &s.doc.nodes[i]
	if n.kind != jsonArray {
		if s.hive {
			return mismatch("java.io.IOException: Start of Array expected")
		}
		return s.value(t.elem, i, rep, t.def+1) // AWS was seen to take it for an array of one, as the SerDe does
	}
	if n.end == i+1 {
		s.nulls(t, rep, t.def)
		return nil
	}
	for j := i + 1; j < s.doc.nodes[i].end; j = s.doc.nodes[j].end {
		if err := s.value(t.elem, j, rep, t.def+1); err != nil {
			return err
		}
		rep = t.elem.rep
	}
	return nil
}

func (s *shredder) entries(t *hiveType, i, rep int) error {
	n := &s.doc.nodes[i]
	switch {
	case n.kind != jsonObject && s.hive: // AWS was seen to say so of structs; UNVERIFIED for maps
		return mismatch("java.io.IOException: Start of Object expected")
	case n.kind != jsonObject: // AWS was seen to fail; its words are not known
		return mismatch("A map can't be read from %s.", n.javaType())
	case n.end == i+1:
		s.nulls(t, rep, t.def)
		return nil
	}
	last := s.lastOfEachKey(i)
	for j := i + 1; j < s.doc.nodes[i].end; j = s.doc.nodes[j].end {
		key := s.key(s.doc.nodes[j].key)
		if last != nil && last[string(key)] != j {
			continue
		}
		v, err := t.key.mapKey(key)
		if err != nil {
			return err
		}
		s.columns[t.key.column] = append(s.columns[t.key.column], v.Level(rep, t.key.def, t.key.column))
		if err := s.value(t.elem, j, rep, t.def+1); err != nil {
			return err
		}
		rep = t.elem.rep
	}
	return nil
}

// lastOfEachKey tells which value of a key counts: the last, as in a Java map. nil is all.
func (s *shredder) lastOfEachKey(i int) map[string]int {
	if s.doc.nodes[i+1].end == s.doc.nodes[i].end {
		return nil // there is one
	}
	last := map[string]int{}
	for j := i + 1; j < s.doc.nodes[i].end; j = s.doc.nodes[j].end {
		last[string(s.key(s.doc.nodes[j].key))] = j
	}
	return last
}

func (n *node) javaType() string {
	switch n.kind {
	case jsonFalse, jsonTrue:
		return "java.lang.Boolean"
	case jsonString:
		return "java.lang.String"
	case jsonArray:
		return "an array"
	case jsonObject:
		return "an object"
	}
	if bytes.ContainsAny(n.text, ".eE") {
		return "java.lang.Double"
	}
	return "java.lang.Long" // AWS was seen to call 42 so
}

// plain is the text of a value that is no array and no object.
func (n *node) plain() []byte {
	if n.kind <= jsonTrue {
		return []byte(words[n.kind])
	}
	return n.text
}
