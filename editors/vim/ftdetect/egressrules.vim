" SPDX-License-Identifier: MIT
" Policies of egress-filter. Other programs have files called *.rules too, so one of another name
" than egress.rules is known by lines that only a policy has.
function! s:IsPolicy() abort
  for line in getline(1, 50)
    if line =~# '^\s*\(deny\s\+\S\|include\s\+@\|#?\s*\(allow\|deny\|inspect\)\s\|\[\(exe\|cgroup\|user\)=\|\[https\?://\|\[:\d\)'
      return 1
    endif
  endfor
  return 0
endfunction

autocmd BufNewFile,BufRead egress.rules,*.egress.rules set filetype=egressrules
autocmd BufRead *.rules if s:IsPolicy() | set filetype=egressrules | endif
