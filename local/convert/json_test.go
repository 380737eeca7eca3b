package convert

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzJSON: what is JSON to us is JSON to encoding/json, and means the same.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0.5e+3,"\u00e9\n",true,false,null,{}]}`, `01`, `-`, `1.`, `.5`, `1e`, `"\x"`, `"\ud800\ud800"`, `"\ud83d\ude00"`, "\"\x01\"", `[1,]`, `{"a"}`, `{,}`, `nul`, ` [ ] `, `"`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if !utf8.Valid(in) {
			return // refused before it is parsed
		}
		var d document
		d.start(in)
		err := d.next()
		ours := err == nil && !d.more()
		if theirs := json.Valid(in); ours != theirs {
			if theirs && bytes.Count(in, []byte("["))+bytes.Count(in, []byte("{")) > maxJSONDepth {
				return // they nest deeper
			}
			t.Fatalf("%q is JSON: %t, says encoding/json: %t (%v)", in, ours, theirs, err)
		}
		if !ours {
			return
		}
		var want, got any
		text := d.appendJSON(nil, 0, func(name []byte) []byte { return name })
		if err := json.Unmarshal(in, &want); err != nil {
			return // a number that is too large
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%q became %q: %v", in, text, err)
		}
		wantText, _ := json.Marshal(want)
		gotText, _ := json.Marshal(got)
		if !bytes.Equal(wantText, gotText) {
			t.Fatalf("%q became %q", in, text)
		}
	})
}
