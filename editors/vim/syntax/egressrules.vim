" SPDX-License-Identifier: MIT
" Policies of egress-filter: egress-filter.rules(5).
if exists('b:current_syntax')
  finish
endif
let s:cpo_save = &cpo
set cpo&vim

syntax case match
syntax sync minlines=1 maxlines=1

syntax match egressTarget      /^\s*\zs[^#\[ \t][^ \t]*/ contains=egressScheme,egressPort,egressWildcard,egressPlaceholder
syntax match egressTarget      /\%(^\s*\%(deny\s\+\)\=\%([A-Za-z|*]\+\s\+\)\=\)\@<=\%(https\=:\/\)\=\/[^ \t]*/ contains=egressScheme,egressPort,egressWildcard,egressPlaceholder
syntax match egressVeto        /^\s*deny\ze\%(\s\|$\)/ nextgroup=egressVetoTarget,egressMethod skipwhite
syntax match egressVetoTarget  /[^ \t#][^ \t]*/ contained contains=egressScheme,egressPort,egressWildcard,egressPlaceholder
syntax match egressInclude     /^\s*include\ze\s/ nextgroup=egressPreset,egressFile skipwhite
syntax match egressFile        /[^ \t@][^ \t]*/ contained
syntax match egressPreset      /@\%(github-actions\|host-basics\|npm\|pypi\|cargo\|go\|maven\|rubygems\|docker-hub\|ghcr\|debian\|ubuntu\|github\|anthropic\|openai\|system-resolver\)\ze\%(\s\|$\)/ contained
syntax match egressMethod      /\c\%(^\s*\%(deny\s\+\)\=\)\@<=\%(GET\|HEAD\|POST\|PUT\|DELETE\|PATCH\|OPTIONS\|\*\)\%(|\%(GET\|HEAD\|POST\|PUT\|DELETE\|PATCH\|OPTIONS\)\)*\ze\s\+\%(https\=:\/\)\=\// nextgroup=egressVetoTarget skipwhite
syntax match egressScheme      /\%(https\=:\/\/\|dns:\)/ contained
syntax match egressPort        /:[0-9*][0-9|*-]*\%(\/\%(tcp\|udp\)\)\=/ contained
syntax match egressWildcard    /\*/ contained
syntax match egressPlaceholder /{\%(owner\|repo\)}/ contained

syntax match egressKeyword     /\%(\s\|\[\)\@<=\%(passthrough\|insecure\|private\|websocket\|expected\)\ze\%(\s\|\]\|$\)/
syntax match egressSelector    /\%(\s\|\[\)\@<=\%(exe\|arg\|parent\|sha256\|user\|cgroup\|container\|image\|pod\|mntns\|netns\|step\|action\)\ze=/ nextgroup=egressEquals
syntax match egressSelector    /\%(\s\|\[\)\@<=arg\[\d\+\]\ze=/ nextgroup=egressEquals
syntax match egressEquals      /=/ contained nextgroup=egressGroup,egressLiteral,egressPattern,egressValue
syntax match egressGroup       /@\%(docker\|podman\|kubernetes\|container\|host\|rootless\)\ze\%(\s\|\]\|$\)/ contained
syntax region egressLiteral    start=/"/ end=/"/ oneline contained contains=egressPlaceholder
syntax region egressPattern    start=/`/ end=/`/ oneline contained contains=egressWildcard,egressPlaceholder
syntax match egressValue       /[^ \t"`@\]][^ \t\]]*/ contained contains=egressWildcard,egressPlaceholder

syntax region egressHeader matchgroup=egressBracket start=/^\s*\[/ end=/\]\ze\s*\%(#.*\)\=$/ oneline contains=egressKeyword,egressSelector,egressHeaderMethod,egressHeaderPort,egressHeaderUrl
syntax match egressHeaderMethod /\c\%(\s\|\[\)\@<=\%(GET\|HEAD\|POST\|PUT\|DELETE\|PATCH\|OPTIONS\|\*\)\%(|\%(GET\|HEAD\|POST\|PUT\|DELETE\|PATCH\|OPTIONS\)\)*\ze\%(\s\|\]\)/ contained
syntax match egressHeaderPort  /\%(\s\|\[\)\@<=:[0-9*][0-9|*-]*\%(\/\%(tcp\|udp\)\)\=/ contained
syntax match egressHeaderUrl   /https\=:\/\/[^ \t\]]*/ contained contains=egressScheme,egressWildcard,egressPlaceholder

syntax match egressComment     /\%(^\|\s\)\@<=#.*$/ contains=@Spell
syntax match egressTest        /^\s*#?.*$/ contains=egressVerdict,egressTestEvent
syntax match egressVerdict     /\%(^\s*#?\s*\)\@<=\%(allow\|deny\|inspect\)\ze\s/ contained nextgroup=egressTestEvent skipwhite
syntax match egressTestEvent   /\%(tls\|tcp\|udp\|dns\)\ze\s/ contained

highlight default link egressTarget Identifier
highlight default link egressVetoTarget Identifier
highlight default link egressVeto Exception
highlight default link egressInclude Include
highlight default link egressFile String
highlight default link egressPreset Special
highlight default link egressMethod Function
highlight default link egressHeaderMethod Function
highlight default link egressScheme Type
highlight default link egressPort Number
highlight default link egressHeaderPort Number
highlight default link egressHeaderUrl Identifier
highlight default link egressWildcard SpecialChar
highlight default link egressPlaceholder PreProc
highlight default link egressKeyword Statement
highlight default link egressSelector Label
highlight default link egressEquals Operator
highlight default link egressGroup Constant
highlight default link egressLiteral String
highlight default link egressPattern String
highlight default link egressValue String
highlight default link egressBracket Delimiter
highlight default link egressComment Comment
highlight default link egressTest SpecialComment
highlight default link egressVerdict Todo
highlight default link egressTestEvent Type

let b:current_syntax = 'egressrules'
let &cpo = s:cpo_save
unlet s:cpo_save
