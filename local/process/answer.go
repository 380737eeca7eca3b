package process

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
)

// result is what a function's answer says of one record.
type result struct {
	status string
	data   []byte // nil is none
	keys   map[string]any
	twice  bool
}

// decodeAnswer reads what a function's answer says of each record id. One
// without records says nothing of any: AWS was seen to miss the ids then. One
// with a status or with base64 that is none fails as a whole. Names of members
// are those that are documented, in upper and lower case; encoding/json by
// itself would take recordID as well, and AWS would not.
func decodeAnswer(answer []byte) (map[string]*result, *problem) {
	var top member
	var records []member
	if json.Unmarshal(answer, &top) != nil || !top.get("records", &records) {
		return nil, &noJSON
	}
	results := map[string]*result{}
	for _, m := range records {
		id, res, why := m.result()
		if why != nil {
			return nil, why
		}
		if first, ok := results[id]; ok {
			first.twice = true
		} else {
			results[id] = res
		}
	}
	return results, nil
}

// member is a JSON object whose members are read by their exact names.
type member map[string]json.RawMessage

// get reads a member that may be missing or null; false says that it is of
// another type.
func (m member) get(name string, v any) bool {
	text, ok := m[name]
	if !ok {
		return true
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(v) == nil
}

func (m member) result() (id string, res *result, why *problem) {
	res = &result{}
	var data *string
	var metadata member
	if !m.get("recordId", &id) || !m.get("result", &res.status) || !m.get("data", &data) ||
		!m.get("metadata", &metadata) || !metadata.get("partitionKeys", &res.keys) {
		return "", nil, &noJSON
	}
	if res.status != "Ok" && res.status != "Dropped" && res.status != "ProcessingFailed" {
		return "", nil, &badAnswer
	}
	if data != nil {
		var err error
		if res.data, err = base64.StdEncoding.DecodeString(*data); err != nil {
			return "", nil, &badAnswer
		}
	}
	return id, res, nil
}

// apply changes r as the function wants it; a nil res is one that it has not
// returned. Partition keys that are null or empty fail as those of a query do,
// which is an assumption.
func (res *result) apply(r *Record, dynamicPartitioning bool) (drop bool, why *problem) {
	switch {
	case res == nil:
		return false, &missingID
	case res.twice:
		return false, &duplicateID
	case res.status == "Dropped":
		return true, nil
	case res.status == "ProcessingFailed":
		return false, &statusFailed
	case res.data == nil:
		return false, &noData
	}
	if dynamicPartitioning && res.keys != nil {
		keys, why := partitionKeys(res.keys)
		if why != "" {
			return false, &problem{codeMetadata, why}
		}
		r.FromLambda = keys
	}
	r.Data = res.data
	return false, nil
}
