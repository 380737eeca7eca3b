package convert

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Column is a column of a table in the Glue Data Catalog.
type Column struct {
	Name string // Hive's are in lower case; others are made so
	Type string // in Hive's words, such as "array<struct<sku:string,qty:int>>"
}

// ParseColumns reads the columns of a table from
//
//   - JSON: what `aws glue get-table` prints, the Table or its StorageDescriptor
//     alone, {"Name":…,"Columns":[…]}, or the bare list
//     [{"Name":"id","Type":"bigint"},…]. A table's partition keys are left out, as
//     they are in the files of a table.
//   - the short form "id:bigint,tags:array<string>".
//
// It doesn't look into the types of JSON's columns; [New] does.
func ParseColumns(text string) ([]Column, error) {
	text = strings.TrimSpace(text)
	var columns []Column
	var err error
	switch {
	case strings.HasPrefix(text, "["):
		err = json.Unmarshal([]byte(text), &columns)
	case strings.HasPrefix(text, "{"):
		var t table
		err = json.Unmarshal([]byte(text), &t)
		columns = t.columns()
	default:
		return parseShort(text)
	}
	if err != nil {
		return nil, fmt.Errorf("read columns: %w", err)
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("read columns: there are none in the JSON; they stand under Columns, StorageDescriptor.Columns or Table.StorageDescriptor.Columns")
	}
	return columns, nil
}

// table is as much of Glue's answer as holds columns.
type table struct {
	Columns           []Column
	StorageDescriptor *table
	Table             *table
}

func (t *table) columns() []Column {
	switch {
	case t.Table != nil:
		return t.Table.columns()
	case t.StorageDescriptor != nil:
		return t.StorageDescriptor.columns()
	}
	return t.Columns
}

func parseShort(text string) ([]Column, error) {
	p := typeParser{text: text}
	fields, err := p.fields(0)
	if err == nil && p.peek() != 0 {
		err = p.unexpected("a comma or the end")
	}
	if err != nil {
		return nil, fmt.Errorf("read columns %q: %w", text, err)
	}
	columns := make([]Column, len(fields))
	for i, f := range fields {
		columns[i] = Column{Name: f.name, Type: f.text}
	}
	return columns, nil
}
