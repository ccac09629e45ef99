query
SELECT * FROM pragma_index_list('u') i, pragma_index_info(i.name)